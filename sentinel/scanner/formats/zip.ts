/** zip, and all that is one inside: xlsx, docx, npz, jar. Its directory comes last, and says where it begins. */
import { ascii, type Format, startsWith } from "./format.ts";

const LOCAL_FILE = [...ascii("PK"), 3, 4];
const DIRECTORY_END = [...ascii("PK"), 5, 6];
const ZIP64_RECORD = [...ascii("PK"), 6, 6];
const ZIP64_LOCATOR = [...ascii("PK"), 6, 7];
const DIRECTORY_END_BYTES = 22;
const ZIP64_LOCATOR_BYTES = 20;
const COMMENT_BYTES_MAX = 0xffff;

export const zip: Format = {
  end: "zip directory",
  endings: [".zip", ".xlsx", ".xlsm", ".docx", ".pptx", ".ods", ".odt", ".npz", ".jar", ".kmz"],
  bytesMin: DIRECTORY_END_BYTES,
  is: ({ head }) => startsWith(head, LOCAL_FILE) || startsWith(head, DIRECTORY_END),
  look: ({ size, tail }) => {
    if (hasEnd(tail(4096), size)) return "ended"; // nearly always
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

/**
 * The directory must lie right before its end, counted from the first byte of the file, which is that of
 * the zip. With zip64, whose numbers don't fit here, its record must lie where it is said to.
 */
function pointsToItself(view: DataView, tail: Uint8Array, at: number, size: number): boolean {
  const tailStart = size - tail.length;
  const locator = at - ZIP64_LOCATOR_BYTES;
  if (locator >= 0 && startsWith(tail, ZIP64_LOCATOR, locator)) {
    const record = Number(view.getBigUint64(locator + 8, true)) - tailStart;
    return record >= 0 && record < locator && startsWith(tail, ZIP64_RECORD, record);
  }
  const directoryBytes = view.getUint32(at + 12, true);
  const directoryStart = view.getUint32(at + 16, true);
  return directoryStart + directoryBytes === tailStart + at;
}
