/** Rows as an aligned table for a terminal [pure]: numbers to the right, long cells cut. */

const CELL_CHARS_MAX = 40;

/**
 * @param charsMax Width of the terminal: columns that do not fit are left out, and counted.
 * @returns Lines without trailing blanks.
 */
export function textTable(
  columns: readonly string[],
  rows: readonly Readonly<Record<string, unknown>>[],
  charsMax: number,
): string[] {
  const cells = columns.map((name) => [name, ...rows.map((row) => cellText(row[name]))].map(cut));
  const widths = cells.map((column) => Math.max(...column.map(charsOf)));
  const shown = fitting(widths, charsMax);
  const isNumber = columns.map((name) => rows.every((row) => isNumeric(row[name])));
  const line = (texts: string[]) => texts.join("  ").trimEnd();
  const lines = Array.from(
    { length: rows.length + 1 },
    (_, row) =>
      line(
        cells.slice(0, shown).map((column, at) => pad(column[row]!, widths[at]!, isNumber[at]!)),
      ),
  );
  lines.splice(1, 0, line(widths.slice(0, shown).map((width) => "-".repeat(width))));
  if (shown < columns.length) lines.push(`(and ${columns.length - shown} more columns)`);
  return lines;
}

function fitting(widths: readonly number[], charsMax: number): number {
  let chars = -2;
  const first = widths.findIndex((width) => (chars += width + 2) > charsMax);
  return first < 0 ? widths.length : Math.max(1, first);
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "object" ? JSON.stringify(value) : `${value}`;
  return text.replace(/\p{Cc}/gu, escaped);
}

/** A newline or an escape sequence in the data must not reach the terminal. */
function escaped(char: string): string {
  const short = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[char];
  return short ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

function cut(text: string): string {
  const chars = [...text];
  return chars.length <= CELL_CHARS_MAX ? text : `${chars.slice(0, CELL_CHARS_MAX - 1).join("")}…`;
}

function pad(text: string, width: number, toRight: boolean): string {
  const blanks = " ".repeat(Math.max(0, width - charsOf(text)));
  return toRight ? blanks + text : text + blanks;
}

function charsOf(text: string): number {
  return [...text].length;
}

function isNumeric(value: unknown): boolean {
  return value === null || value === undefined || typeof value === "number" ||
    (typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value));
}
