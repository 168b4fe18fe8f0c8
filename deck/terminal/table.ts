import { fitted, printable } from "./printable.ts";

const GAP = "  ";
const LAST_COLUMNS_MIN = 20;

/**
 * Rows as lines of aligned text, the titles first. The last column gets what is left of `columns`.
 * @param titles One per cell; ">TITLE" aligns to the right.
 * @param rows Cells as they are; control characters in them are shown as escapes.
 */
export function table(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number,
): string[] {
  const right = titles.map((title) => title.startsWith(">"));
  const header = titles.map((title) => title.replace(/^>/, ""));
  const cells = [header, ...rows].map((row) => row.map(printable));
  const widths = header.map((_, n) => Math.max(...cells.map((row) => width(row[n] ?? ""))));
  const last = widths.length - 1;
  const before = widths.slice(0, last).reduce((sum, each) => sum + each + GAP.length, 0);
  widths[last] = Math.min(widths[last] ?? 0, Math.max(LAST_COLUMNS_MIN, columns - before));
  return cells.map((row) =>
    row.map((cell, n) => padded(fitted(cell, widths[n]!), widths[n]!, right[n]!)).join(GAP)
      .trimEnd()
  );
}

const width = (text: string) => [...text].length;

function padded(text: string, columns: number, right: boolean): string {
  const blanks = " ".repeat(Math.max(0, columns - width(text)));
  return right ? blanks + text : text + blanks;
}
