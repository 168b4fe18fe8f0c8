/** What the scanner knows of kinds of files: how to tell that one has arrived to its end. */

/** A file as far as it has been looked at. */
export interface Glance {
  /** Its name without folder, in lower case. */
  name: string;
  /** In bytes. */
  size: number;
  /** Its first bytes, up to 4 KiB. */
  head: Uint8Array;
  /** Its last bytes, up to so many; asking for more than 4 KiB costs a read. */
  tail(bytesMax: number): Uint8Array;
}

export interface Format {
  /** For people: "Its … is not there yet". */
  end: string;
  /** Endings of names that promise this format: one that is too short to tell is not whole. */
  endings: readonly string[];
  /** A whole file has at least so many bytes. */
  bytesMin: number;
  /** Whether a file is of this format, by its first bytes; its name may help where they are only text. */
  is(glance: Glance): boolean;
  /** What its last bytes say; "unsure" if only all of it can tell. */
  look(glance: Glance): "ended" | "open" | "unsure";
  /** Looks through all of it. */
  scan?(): EndScan;
}

export interface EndScan {
  /** The next chunk, valid until this resolves. @returns Whether to go on. */
  take(chunk: Uint8Array): boolean | Promise<boolean>;
  /** After the last chunk: whether the end was there; null if it can't be told within bounds. */
  ended(): boolean | null | Promise<boolean | null>;
  close?(): void;
}

export function startsWith(bytes: Uint8Array, magic: readonly number[], at = 0): boolean {
  return magic.every((byte, index) => bytes[at + index] === byte);
}

/** The bytes of ASCII text. */
export function ascii(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0));
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** The first character of a text, as a byte, without byte order mark and white space; none in UTF-16. */
export function firstByte(head: Uint8Array): number | undefined {
  let at = startsWith(head, BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.length : 0;
  while (isSpace(head[at])) at++;
  return head[at];
}

/** The text at the beginning of a file, without byte order mark and white space. */
export function textHead(head: Uint8Array): string {
  return new TextDecoder().decode(head).trimStart();
}

/** The last byte that is no white space; undefined if there is none. */
export function lastByte(tail: Uint8Array): number | undefined {
  return tail.findLast((byte) => !isSpace(byte));
}
