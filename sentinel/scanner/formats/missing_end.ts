/**
 * Whether a file has arrived to its end, where its format has one. By content; a name only helps where
 * there is too little content to tell, or only text.
 *
 * A format that is not known has no end to wait for, and a valid file may look cut off to so quick a look:
 * who calls must not wait for an end for ever.
 */
import type { Reading } from "../reading.ts";
import { arrow, parquet } from "./columnar.ts";
import type { EndScan, Format, Glance } from "./format.ts";
import { gzip } from "./gzip.ts";
import { json } from "./json.ts";
import { jsonLines } from "./json_lines.ts";
import { xml } from "./xml.ts";
import { zip } from "./zip.ts";

/** The first that takes a file names it: JSON lines are JSON as well. */
const FORMATS: readonly Format[] = [gzip, zip, parquet, arrow, jsonLines, json, xml];
const FORMAT_BY_ENDING = new Map(
  FORMATS.flatMap((format) => format.endings.map((ending) => [ending, format] as const)),
);
/** Bigger ones are not looked through: it takes longer than waiting does. */
export const SCAN_BYTES_MAX = 256 * 2 ** 20;
/** So many zero bytes at the end of a text are no text. */
const BLANK_BYTES = 16;

export interface MissingEnd {
  /** What is not there, for people. */
  what: string;
  /** False if it may well be there, but would take too long to look for. */
  isCertain: boolean;
}

export interface MissingEndOptions {
  /** Its name without folder. */
  name: string;
  /** In bytes. */
  size: number;
  /** Whether to read all of it where its last bytes don't tell. */
  thoroughly: boolean;
  breathe: () => Promise<void>;
}

/** @returns Null if the end is there, or none is to be waited for. */
export async function missingEnd(
  reading: Reading,
  { name, size, thoroughly, breathe }: MissingEndOptions,
): Promise<MissingEnd | null> {
  const tail = (bytesMax: number) => reading.tail(bytesMax);
  const glance: Glance = { name: name.toLowerCase(), size, head: reading.head(), tail };
  const promised = FORMAT_BY_ENDING.get(glance.name.slice(glance.name.lastIndexOf(".")));
  if (promised !== undefined && size < promised.bytesMin) return certain(promised.end);
  const format = FORMATS.find((each) => each.is(glance));
  if (format === undefined) {
    return isBlank(glance) ? certain("content (zero bytes stand in its place)") : null;
  }
  const state = format.look(glance);
  if (state === "open") return certain(format.end);
  if (state === "ended" || format.scan === undefined || !thoroughly) return null;
  if (size > SCAN_BYTES_MAX) return { what: format.end, isCertain: false };
  const ended = await scanAll(reading, format.scan(), breathe);
  return ended ? null : { what: format.end, isCertain: ended === false };
}

function certain(what: string): MissingEnd {
  return { what, isCertain: true };
}

async function scanAll(
  reading: Reading,
  scan: EndScan,
  breathe: () => Promise<void>,
): Promise<boolean | null> {
  try {
    await reading.read((chunk) => scan.take(chunk), breathe);
    return await scan.ended();
  } finally {
    scan.close?.();
  }
}

/** Room that was laid out for a file before it was filled: nothing but zeros, or text that ends in them. */
function isBlank({ size, head, tail }: Glance): boolean {
  if (size < BLANK_BYTES) return false;
  const isZero = (byte: number) => byte === 0;
  if (head.every(isZero)) return true;
  return tail(BLANK_BYTES).every(isZero) && !head.some((byte) => byte < 0x09);
}
