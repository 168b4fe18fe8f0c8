/** JSON: one document or several, closed when every bracket is. */
import { type EndScan, firstByte, type Format, lastByte, textHead } from "./format.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const ENDINGS = [".json", ".geojson", ".topojson", ".ipynb"];
/** Only this much like JSON counts as JSON whatever its name is: `[section]` begins other files, too. */
const SURELY_JSON = /^(?:\[\s*)?\{\s*"(?:[^"\\\n]|\\.)*"\s*:/;

export const json: Format = {
  end: "closing JSON bracket",
  endings: ENDINGS,
  bytesMin: 1,
  is: ({ name, head }) =>
    [OPEN_OBJECT, OPEN_LIST, QUOTE].includes(firstByte(head) ?? 0) &&
    (ENDINGS.some((ending) => name.endsWith(ending)) || SURELY_JSON.test(textHead(head))),
  look: ({ head, size, tail }) => {
    const last = lastByte(tail(4096));
    if (last === undefined) return "unsure"; // a long white end
    if (firstByte(head) === QUOTE) return last === QUOTE && size > 1 ? "ended" : "open";
    return last === CLOSE_LIST || last === CLOSE_OBJECT ? "unsure" : "open";
  },
  scan: () => bracketScan(),
};

/** Counts brackets outside of strings. Bytes of other characters of UTF-8 are none of these. */
export function bracketScan(): EndScan {
  let depth = 0;
  let inString = false;
  let isEscaped = false;
  return {
    take(chunk) {
      for (let at = 0; at < chunk.length; at++) {
        const byte = chunk[at];
        if (inString) {
          if (isEscaped) isEscaped = false;
          else if (byte === BACKSLASH) isEscaped = true;
          else if (byte === QUOTE) inString = false;
        } else if (byte === QUOTE) inString = true;
        else if (byte === OPEN_OBJECT || byte === OPEN_LIST) depth++;
        else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) depth--;
      }
      return true;
    },
    ended: () => depth <= 0 && !inString, // below zero it is wrong, but not cut off
  };
}
