/**
 * Gzip and zip files whose bytes depend on nothing but their content: no clock, and no compressor, as each
 * version of one finds other matches. Deflate allows blocks that are stored as they are; every reader takes them.
 */

const BLOCK_BYTES_MAX = 0xffff;
/** 1980-01-01 00:00, the first moment that zip knows. */
const DOS_DATE = 0x21;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

export function gzip(content: Uint8Array): Uint8Array<ArrayBuffer> {
  const header = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255);
  const trailer = littleEndian([crc32(content), 4], [content.length, 4]);
  return joined([header, ...storedBlocks(content), trailer]);
}

function storedBlocks(content: Uint8Array): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < content.length; at += BLOCK_BYTES_MAX) {
    const block = content.subarray(at, at + BLOCK_BYTES_MAX);
    const isLast = at + BLOCK_BYTES_MAX >= content.length ? 1 : 0;
    blocks.push(littleEndian([isLast, 1], [block.length, 2], [~block.length & 0xffff, 2]), block);
  }
  return blocks;
}

export interface ZipMember {
  name: string;
  content: Uint8Array;
}

export function zip(members: readonly ZipMember[]): Uint8Array<ArrayBuffer> {
  const locals: Uint8Array[] = [];
  const entries: Uint8Array[] = [];
  let offset = 0;
  for (const { name, content } of members) {
    const nameBytes = new TextEncoder().encode(name);
    const about = aboutMember(nameBytes, content);
    const local = joined([littleEndian([0x04034b50, 4]), about, nameBytes, content]);
    entries.push(
      littleEndian([0x02014b50, 4], [20, 2]),
      about,
      littleEndian([0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]),
      nameBytes,
    );
    locals.push(local);
    offset += local.length;
  }
  const directory = joined(entries);
  const end = littleEndian(
    [0x06054b50, 4],
    [0, 4],
    [members.length, 2],
    [members.length, 2],
    [directory.length, 4],
    [offset, 4],
    [0, 2],
  );
  return joined([...locals, directory, end]);
}

/** What a member's local header and its directory entry have in common; method 0 is "stored". */
function aboutMember(name: Uint8Array, content: Uint8Array): Uint8Array {
  return littleEndian(
    [20, 2],
    [0x800, 2], // names are UTF-8
    [0, 2],
    [0, 2],
    [DOS_DATE, 2],
    [crc32(content), 4],
    [content.length, 4],
    [content.length, 4],
    [name.length, 2],
    [0, 2],
  );
}

function crc32(content: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of content) crc = CRC_TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Numbers as bytes, the lowest first, each with its width. */
function littleEndian(...fields: readonly [value: number, bytes: number][]): Uint8Array {
  return Uint8Array.from(
    fields.flatMap(([value, bytes]) =>
      Array.from({ length: bytes }, (_, at) => (value >>> (8 * at)) & 0xff)
    ),
  );
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((bytes, part) => bytes + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
