/**
 * Adds the lineage columns to a finished Parquet file: their pages go where the footer was, and a
 * footer that knows them follows. All else in the file stays as the encoder wrote it.
 */
import { Buffer } from "node:buffer";
import { withLineageFields } from "./arrow_lineage.ts";
import type { Chunk, LineageColumn } from "./lineage_columns.ts";
import {
  binary,
  concat,
  field,
  int,
  list,
  readBinary,
  readInt,
  readList,
  readStruct,
  struct,
  TYPE,
  valueOf,
  withValues,
} from "./thrift.ts";

/** Bytes behind the footer: its length and the magic number. */
export const TRAILER_BYTES = 8;
const MAGIC = "PAR1";
const FILE = { schema: 2, rows: 3, rowGroups: 4, keyValues: 5, columnOrders: 7 };
const ROW_GROUP = { columns: 1, bytes: 2, rows: 3, compressedBytes: 6 };
const ELEMENT_CHILDREN = 5;

/** @returns Length in bytes of the footer that the file's last 8 bytes announce. */
export function footerBytes(trailer: Uint8Array): number {
  const magic = Buffer.from(trailer.subarray(4)).toString("latin1");
  if (magic !== MAGIC) throw new Error(`Cannot find the footer as the file ends in ${magic}`);
  return new DataView(trailer.buffer, trailer.byteOffset).getUint32(0, true);
}

/**
 * @param footer The footer that the encoder wrote.
 * @param at Where in the file it starts.
 * @returns What to write there instead, to the file's end, and the number of rows.
 */
export function withLineage(
  footer: Uint8Array,
  at: number,
  columns: readonly LineageColumn[],
): { tail: Uint8Array<ArrayBuffer>; rows: number } {
  const file = readStruct(footer);
  const { pages, rowGroups, rows } = extendRowGroups(required(file, FILE.rowGroups), at, columns);
  const extended = withValues(file, {
    [FILE.schema]: extendSchema(required(file, FILE.schema), columns),
    [FILE.rowGroups]: rowGroups,
    [FILE.keyValues]: extendArrowSchema(required(file, FILE.keyValues), columns),
    [FILE.columnOrders]: extendOrders(required(file, FILE.columnOrders), columns.length),
  });
  const written = readInt(required(file, FILE.rows));
  if (written !== rows) throw new Error(`Row groups hold ${rows} rows, the footer says ${written}`);
  const metadata = struct(...extended);
  const trailer = Buffer.from(`\0\0\0\0${MAGIC}`, "latin1");
  trailer.writeUInt32LE(metadata.length);
  return { tail: concat([...pages, metadata, trailer]), rows };
}

function extendRowGroups(encoded: Uint8Array, at: number, columns: readonly LineageColumn[]) {
  const pages: Uint8Array[] = [];
  let [rows, end] = [0, at];
  const place = (chunk: Chunk): Uint8Array => {
    pages.push(chunk.pages);
    end += chunk.pages.length;
    return chunk.metadata(end - chunk.pages.length);
  };
  const groups = readList(encoded).elements.map((element) => {
    const group = readStruct(element);
    const count = readInt(required(group, ROW_GROUP.rows));
    const chunks = columns.map((column) => column.chunk({ first: rows, count }));
    rows += count;
    return extendRowGroup(group, chunks, chunks.map(place));
  });
  return { pages, rowGroups: list(TYPE.struct, groups), rows };
}

function extendRowGroup(
  group: ReturnType<typeof readStruct>,
  chunks: readonly Chunk[],
  metadata: readonly Uint8Array[],
): Uint8Array {
  const added = chunks.reduce((sum, { pages }) => sum + pages.length, 0);
  const before = readList(required(group, ROW_GROUP.columns)).elements;
  const compressed = valueOf(group, ROW_GROUP.compressedBytes);
  return struct(...withValues(group, {
    [ROW_GROUP.columns]: list(TYPE.struct, [...before, ...metadata]),
    [ROW_GROUP.bytes]: int(readInt(required(group, ROW_GROUP.bytes)) + added),
    ...(compressed && { [ROW_GROUP.compressedBytes]: int(readInt(compressed) + added) }),
  }));
}

/** The schema is a tree written depth first: the root, then all else; our leaves go last. */
function extendSchema(encoded: Uint8Array, columns: readonly LineageColumn[]): Uint8Array {
  const [root, ...rest] = readList(encoded).elements;
  const fields = readStruct(root!);
  const children = readInt(required(fields, ELEMENT_CHILDREN)) + columns.length;
  const newRoot = struct(...withValues(fields, { [ELEMENT_CHILDREN]: int(children) }));
  const added = columns.map((column) => column.schemaElement);
  return list(TYPE.struct, [newRoot, ...rest, ...added]);
}

/** Arrow's own schema travels as base64 under one key; readers want it to have all columns. */
function extendArrowSchema(encoded: Uint8Array, columns: readonly LineageColumn[]): Uint8Array {
  const [KEY, VALUE] = [1, 2];
  const entries = readList(encoded).elements.map((element) => {
    const entry = readStruct(element);
    const name = Buffer.from(readBinary(required(entry, KEY))).toString();
    if (name !== "ARROW:schema") throw new Error(`Unexpected key "${name}" in the footer`);
    const base64 = Buffer.from(readBinary(required(entry, VALUE))).toString("latin1");
    const schema = withLineageFields(Buffer.from(base64, "base64"), columns);
    const value = binary(Buffer.from(Buffer.from(schema).toString("base64"), "latin1"));
    return struct(...withValues(entry, { [VALUE]: value }));
  });
  return list(TYPE.struct, entries);
}

/** Says that minimum and maximum are by the type's own order. */
function extendOrders(encoded: Uint8Array, added: number): Uint8Array {
  const byType = struct(field(1, TYPE.struct, struct()));
  const { elements } = readList(encoded);
  return list(TYPE.struct, [...elements, ...Array.from({ length: added }, () => byType)]);
}

function required(fields: ReturnType<typeof readStruct>, id: number): Uint8Array {
  const value = valueOf(fields, id);
  if (value === undefined) throw new Error(`Footer lacks field ${id}`);
  return value;
}
