/**
 * Bounds a JSON text before it is parsed [pure]. A parser turns one byte into up to fifty: 64 MiB of `[`
 * took 2 GiB and 14 s, in which a sentinel answers nobody. Texts of messages are bounded already;
 * what is counted here is what stands between the strings.
 */
import { ProtocolError } from "./errors.ts";

/** A MANIFEST's config and Arrow schemas of nested columns need about ten. */
export const JSON_DEPTH_MAX = 64;
/** Members, elements and containers; the largest page of the control API has some 20,000. */
export const JSON_VALUES_MAX = 1_000_000;

const CHAR = { quote: 0x22, comma: 0x2c, backslash: 0x5c } as const;
// "[" and "{", "]" and "}" differ in this bit only.
const BRACE_BIT = 0x20;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/**
 * @param json UTF-8, well-formed or not: what is broken is left to the parser to refuse.
 * @throws {ProtocolError} If it is nested deeper, or holds more values, than any message of ours.
 */
export function checkJsonBounds(part: string, json: Uint8Array): void {
  let depth = 0;
  let values = 0;
  for (let at = 0; at < json.length; at++) {
    const char = json[at]!;
    if (char === CHAR.quote) at = endOfString(json, at + 1);
    else if (char === CHAR.comma) values++;
    else if ((char | BRACE_BIT) === OPEN) {
      values++;
      if (++depth > JSON_DEPTH_MAX) {
        throw new ProtocolError(part, `<= ${JSON_DEPTH_MAX} deep`, depth);
      }
    } else if ((char | BRACE_BIT) === CLOSE) depth--;
    if (values > JSON_VALUES_MAX) {
      throw new ProtocolError(part, `<= ${JSON_VALUES_MAX} values`, values);
    }
  }
}

/** Position of the closing quote; the end of the text if there is none. */
function endOfString(json: Uint8Array, start: number): number {
  for (let at = start; at < json.length; at++) {
    const char = json[at];
    if (char === CHAR.quote) return at;
    if (char === CHAR.backslash) at++;
  }
  return json.length;
}
