/** A warehouse's stock in Excel: shared strings, dates as day numbers, cells that are left out when empty. */
import { zip } from "./archive.ts";
import { type DemoFolder, fromCents, sum, times } from "./folder.ts";
import type { SeededRandom } from "./random.ts";

const FILES = 5;
const HEADER = ["Article", "Shelf", "Counted on", "Pieces", "Value", "Blocked"];
const ARTICLES = ["Lamp", "Chair", "Desk & top", "Shelf, oak"];
const SHELVES = ["A1", "A2", "B1", "C7"];
/** Excel's number of 2024-01-01. */
const FIRST_DAY = 45_292;

const SHEET_NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE = "http://schemas.openxmlformats.org/package/2006";
const CONTENT = "application/vnd.openxmlformats-officedocument.spreadsheetml";

export function makeInventory(random: SeededRandom): DemoFolder {
  const counts = times(FILES, () => times(random.int(40, 70), () => item(random)));
  const all = counts.flat();
  return {
    files: counts.map((items, n) => ({
      path: `inventory/count_${n + 1}.xlsx`,
      bytes: zip(workbook(items)),
    })),
    topics: {
      inventory: {
        files: FILES,
        rows: all.length,
        sums: {
          pieces: `${sum(all.map((one) => one.pieces ?? 0))}`,
          value: fromCents(sum(all.map((one) => one.cents))),
        },
      },
    },
  };
}

interface Item {
  article: string;
  shelf: string;
  day: number;
  /** `null`: not counted yet. */
  pieces: number | null;
  cents: number;
  isBlocked: boolean;
}

function item(random: SeededRandom): Item {
  return {
    article: random.pick(ARTICLES),
    shelf: random.pick(SHELVES),
    day: FIRST_DAY + random.int(0, 90),
    pieces: random.chance(0.1) ? null : random.int(0, 500),
    cents: random.int(0, 900_000),
    isBlocked: random.chance(0.2),
  };
}

function workbook(items: readonly Item[]) {
  const strings = [...new Set([...HEADER, ...items.flatMap((one) => [one.article, one.shelf])])];
  const textCell = (ref: string, text: string) =>
    `<c r="${ref}" t="s"><v>${strings.indexOf(text)}</v></c>`;
  const rows = [
    `<row r="1">${HEADER.map((text, at) => textCell(`${"ABCDEF"[at]}1`, text)).join("")}</row>`,
    ...items.map((one, index) => row(one, index + 2, textCell)),
  ];
  return [
    part("[Content_Types].xml", contentTypes()),
    part("_rels/.rels", relations([["officeDocument", "xl/workbook.xml"]])),
    part(
      "xl/workbook.xml",
      `<workbook xmlns="${SHEET_NAMESPACE}" xmlns:r="${RELATION}">` +
        `<sheets><sheet name="Stock" sheetId="1" r:id="rId1"/></sheets></workbook>`,
    ),
    part(
      "xl/_rels/workbook.xml.rels",
      relations([["worksheet", "worksheets/sheet1.xml"], ["sharedStrings", "sharedStrings.xml"]]),
    ),
    part(
      "xl/sharedStrings.xml",
      `<sst xmlns="${SHEET_NAMESPACE}">${
        strings.map((text) => `<si><t>${escaped(text)}</t></si>`).join("")
      }</sst>`,
    ),
    part(
      "xl/worksheets/sheet1.xml",
      `<worksheet xmlns="${SHEET_NAMESPACE}"><sheetData>${rows.join("\n")}</sheetData></worksheet>`,
    ),
  ];
}

function row(one: Item, r: number, textCell: (ref: string, text: string) => string): string {
  const pieces = one.pieces === null ? "" : `<c r="D${r}"><v>${one.pieces}</v></c>`;
  return `<row r="${r}">${textCell(`A${r}`, one.article)}${textCell(`B${r}`, one.shelf)}` +
    `<c r="C${r}"><v>${one.day}</v></c>${pieces}<c r="E${r}"><v>${fromCents(one.cents)}</v></c>` +
    `<c r="F${r}" t="b"><v>${one.isBlocked ? 1 : 0}</v></c></row>`;
}

function contentTypes(): string {
  const override = (name: string, kind: string) =>
    `<Override PartName="/xl/${name}.xml" ContentType="${CONTENT}.${kind}+xml"/>`;
  return `<Types xmlns="${PACKAGE}/content-types">` +
    `<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
    `<Default Extension="xml" ContentType="application/xml"/>` +
    override("workbook", "sheet.main") + override("worksheets/sheet1", "worksheet") +
    override("sharedStrings", "sharedStrings") + `</Types>`;
}

function relations(targets: readonly [kind: string, target: string][]): string {
  const all = targets.map(([kind, target], at) =>
    `<Relationship Id="rId${at + 1}" Type="${RELATION}/${kind}" Target="${target}"/>`
  );
  return `<Relationships xmlns="${PACKAGE}/relationships">${all.join("")}</Relationships>`;
}

function part(name: string, xml: string) {
  const text = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n${xml}`;
  return { name, content: new TextEncoder().encode(text) };
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;");
}
