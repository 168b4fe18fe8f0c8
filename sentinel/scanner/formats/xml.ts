/** XML: ended when every element is closed. */
import { type EndScan, firstByte, type Format, lastByte, textHead } from "./format.ts";

const LESS = 0x3c;
const GREATER = 0x3e;
const SLASH = 0x2f;
const BANG = 0x21;
const QUESTION = 0x3f;
const DASH = 0x2d;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;

const ENDINGS = [".xml", ".kml", ".gpx", ".svg", ".xsd", ".rss", ".xlf", ".gml"];

export const xml: Format = {
  end: "closing XML tag",
  endings: ENDINGS,
  bytesMin: 4,
  is: ({ name, head }) => {
    if (firstByte(head) !== LESS) return false;
    const text = textHead(head);
    if (/^<\?xml\s/.test(text)) return true;
    // HTML may leave elements open.
    return /^<[a-z_:!?]/i.test(text) && !/^<(!doctype\s+html|html)\b/i.test(text) &&
      ENDINGS.some((ending) => name.endsWith(ending));
  },
  look: ({ tail }) => {
    const last = lastByte(tail(4096));
    return last === undefined || last === GREATER ? "unsure" : "open";
  },
  scan: () => new ElementScan(),
};

type State =
  | "text"
  | "opened"
  | "start"
  | "end"
  | "instruction"
  | "bang"
  | "comment"
  | "data"
  | "declaration";

/** Counts elements that are open, byte by byte: markup is ASCII in all that XML is written in but UTF-16. */
class ElementScan implements EndScan {
  #state: State = "text";
  #depth = 0;
  #elements = 0;
  /** In a start tag: what ends the attribute's value that it is in, if it is. */
  #quote: number | undefined;
  /** Of a document type that holds declarations itself. */
  #brackets = 0;
  #before = 0;
  #beforeThat = 0;

  take(chunk: Uint8Array): boolean {
    for (let at = 0; at < chunk.length; at++) {
      if (this.#state === "text") {
        at = chunk.indexOf(LESS, at);
        if (at < 0) break;
      }
      const byte = chunk[at]!;
      this.#state = this.#next(byte);
      this.#beforeThat = this.#before;
      this.#before = byte;
    }
    return true;
  }

  ended(): boolean {
    return this.#state === "text" && this.#depth <= 0 && this.#elements > 0;
  }

  #next(byte: number): State {
    switch (this.#state) {
      case "text":
        return "opened";
      case "opened":
        return byte === SLASH
          ? "end"
          : byte === QUESTION
          ? "instruction"
          : byte === BANG
          ? "bang"
          : "start";
      case "start":
        return this.#inStartTag(byte);
      case "end":
        if (byte === GREATER) this.#depth--;
        return byte === GREATER ? "text" : "end";
      case "bang":
        return this.#afterBang(byte);
      case "instruction":
        return this.#until(byte, [QUESTION, GREATER]);
      case "comment":
        return this.#until(byte, [DASH, DASH, GREATER]);
      case "data":
        return this.#until(byte, [CLOSE, CLOSE, GREATER]);
      case "declaration":
        return this.#inDeclaration(byte);
    }
  }

  /** The state ends with these bytes, nothing else in it counts. */
  #until(byte: number, end: number[]): State {
    const last = [this.#beforeThat, this.#before, byte].slice(-end.length);
    return end.every((each, index) => each === last[index]) ? "text" : this.#state;
  }

  #inStartTag(byte: number): State {
    if (this.#quote !== undefined) {
      if (byte === this.#quote) this.#quote = undefined;
    } else if (byte === QUOTE || byte === APOSTROPHE) this.#quote = byte;
    else if (byte === GREATER) {
      this.#elements++;
      if (this.#before !== SLASH) this.#depth++;
      return "text";
    }
    return "start";
  }

  #afterBang(byte: number): State {
    if (byte === DASH) return this.#before === DASH ? "comment" : "bang";
    if (byte === OPEN && this.#before === BANG) return "data";
    this.#brackets = 0;
    return this.#inDeclaration(byte);
  }

  #inDeclaration(byte: number): State {
    if (byte === OPEN) this.#brackets++;
    else if (byte === CLOSE) this.#brackets--;
    return byte === GREATER && this.#brackets <= 0 ? "text" : "declaration";
  }
}
