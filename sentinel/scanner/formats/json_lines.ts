/** JSON lines: each line is whole, so only the last one may be cut off. */
import { firstByte, type Format, textHead } from "./format.ts";
import { bracketScan } from "./json.ts";

const ENDINGS = [".jsonl", ".ndjson", ".jsonlines"];
const NEWLINE = 0x0a;
const OPEN_LIST = 0x5b;
const OPEN_OBJECT = 0x7b;
/** A last line that is longer is told by its brackets. */
const LINE_BYTES_MAX = 64 * 1024;

export const jsonLines: Format = {
  end: "last JSON line",
  endings: ENDINGS,
  bytesMin: 0,
  is: ({ name, head }) => {
    const first = firstByte(head);
    if (ENDINGS.some((ending) => name.endsWith(ending))) {
      return first === OPEN_OBJECT || first === OPEN_LIST;
    }
    if (first !== OPEN_OBJECT) return false;
    const text = textHead(head);
    return /^[^\n]*\n\s*\{/.test(text) && parses(text.slice(0, text.indexOf("\n")));
  },
  look: ({ tail }) => {
    const bytes = tail(LINE_BYTES_MAX);
    if (bytes.at(-1) === NEWLINE) return "ended";
    const start = bytes.lastIndexOf(NEWLINE) + 1;
    if (start === 0 && bytes.length === LINE_BYTES_MAX) return "unsure";
    return parses(new TextDecoder().decode(bytes.subarray(start))) ? "ended" : "open";
  },
  scan: () => bracketScan(),
};

function parses(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return line.trim() === "";
  }
}
