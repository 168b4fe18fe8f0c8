/** zip, and all that is one inside: xlsx, docx, npz, jar. Its directory comes last, and says where it begins. */
import { ascii, type Format, startsWith } from "./format.ts";

const LOCAL_FILE = [...ascii("PK"), 3, 4];
const DIRECTORY_ENTRY = [...ascii("PK"), 1, 2];
const DIRECTORY_END = [...ascii("PK"), 5, 6];
const ZIP64_LOCATOR = [...ascii("PK"), 6, 7];
const DIRECTORY_END_BYTES = 22;
const ZIP64_LOCATOR_BYTES = 20;
const COMMENT_BYTES_MAX = 0xffff;
/** Stands for a number that only the zip64 record can hold. */
const UNKNOWN = 0xffffffff;

export const zip: Format = {
  end: "zip directory",
  endings: [".zip", ".xlsx", ".xlsm", ".docx", ".pptx", ".ods", ".odt", ".npz", ".jar", ".kmz"],
  bytesMin: DIRECTORY_END_BYTES,
  is: ({ head }) => startsWith(head, LOCAL_FILE) || startsWith(head, DIRECTORY_END),
  look: ({ size, tail }) => {
    const short = tail(DIRECTORY_END_BYTES);
    if (hasEnd(short, size)) return "ended";
    return hasEnd(tail(DIRECTORY_END_BYTES + COMMENT_BYTES_MAX), size) ? "ended" : "open";
  },
};

/** Whether the record stands exactly before the end: a zip within a zip has one, too. */
function hasEnd(tail: Uint8Array, size: number): boolean {
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  for (let at = tail.length - DIRECTORY_END_BYTES; at >= 0; at--) {
    if (!startsWith(tail, DIRECTORY_END, at)) continue;
    const commentBytes = view.getUint16(at + 20, true);
    if (at + DIRECTORY_END_BYTES + commentBytes !== tail.length) continue;
    if (pointsToItself(view, tail, at, size)) return true;
  }
  return false;
}

/** The directory must lie right before its end, as the first byte of the file is that of the zip. */
function pointsToItself(view: DataView, tail: Uint8Array, at: number, size: number): boolean {
  const directoryBytes = view.getUint32(at + 12, true);
  const directoryStart = view.getUint32(at + 16, true);
  if (directoryBytes === UNKNOWN || directoryStart === UNKNOWN) {
    return at < ZIP64_LOCATOR_BYTES || startsWith(tail, ZIP64_LOCATOR, at - ZIP64_LOCATOR_BYTES);
  }
  const endStart = size - tail.length + at;
  if (directoryStart + directoryBytes > endStart) return false;
  const inTail = directoryStart - (size - tail.length);
  return inTail < 0 || directoryBytes === 0 || startsWith(tail, DIRECTORY_ENTRY, inTail);
}
