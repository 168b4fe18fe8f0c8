/**
 * Adds the lineage columns to a finished Parquet file: their pages go where the footer was, and a
 * footer that knows them follows. All else in the file stays as the encoder wrote it.
 */
import { Buffer } from "node:buffer";
import { withLineageFields } from "./arrow_lineage.ts";
import type { Chunk, LineageColumn } from "./lineage_columns.ts";
import * as thrift from "./thrift.ts";

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
  const file = thrift.readStruct(footer);
  const { pages, rowGroups, rows } = extendRowGroups(required(file, FILE.rowGroups), at, columns);
  const written = thrift.readInt(required(file, FILE.rows));
  if (written !== rows) throw new Error(`Row groups hold ${rows} rows, the footer says ${written}`);
  const metadata = thrift.encode(thrift.withValues(file, {
    [FILE.schema]: extendSchema(required(file, FILE.schema), columns),
    [FILE.rowGroups]: rowGroups,
    [FILE.keyValues]: extendArrowSchema(required(file, FILE.keyValues), columns),
    [FILE.columnOrders]: extendOrders(required(file, FILE.columnOrders), columns.length),
  }));
  const trailer = Buffer.from(`\0\0\0\0${MAGIC}`, "latin1");
  trailer.writeUInt32LE(metadata.length);
  return { tail: new Uint8Array(Buffer.concat([...pages, metadata, trailer])), rows };
}

function extendRowGroups(encoded: Uint8Array, at: number, columns: readonly LineageColumn[]) {
  const pages: Uint8Array[] = [];
  let [rows, end] = [0, at];
  const place = (chunk: Chunk) => {
    const start = end;
    pages.push(...chunk.pages);
    end += chunk.bytes;
    return chunk.metadata(start);
  };
  const elements = thrift.readList(encoded).elements.map((element) => {
    const group = thrift.readStruct(element);
    const count = thrift.readInt(required(group, ROW_GROUP.rows));
    const chunks = columns.map((column) => column.chunk({ first: rows, count }));
    rows += count;
    return extendRowGroup(group, chunks, chunks.map(place));
  });
  return { pages, rowGroups: { type: thrift.TYPE.struct, elements }, rows };
}

function extendRowGroup(
  group: readonly thrift.EncodedField[],
  chunks: readonly Chunk[],
  metadata: readonly thrift.Value[],
): thrift.Value {
  const added = chunks.reduce((sum, { bytes }) => sum + bytes, 0);
  const compressed = thrift.valueOf(group, ROW_GROUP.compressedBytes);
  return thrift.withValues(group, {
    [ROW_GROUP.columns]: extendList(required(group, ROW_GROUP.columns), metadata),
    [ROW_GROUP.bytes]: thrift.readInt(required(group, ROW_GROUP.bytes)) + added,
    ...(compressed && { [ROW_GROUP.compressedBytes]: thrift.readInt(compressed) + added }),
  });
}

/** The schema is a tree written depth first: the root, then all else; our leaves go last. */
function extendSchema(encoded: Uint8Array, columns: readonly LineageColumn[]): thrift.Value {
  const { type, elements: [root, ...rest] } = thrift.readList(encoded);
  if (root === undefined) throw new Error("Footer lacks a schema");
  const fields = thrift.readStruct(root);
  const children = thrift.readInt(required(fields, ELEMENT_CHILDREN)) + columns.length;
  const newRoot = thrift.withValues(fields, { [ELEMENT_CHILDREN]: children });
  return { type, elements: [newRoot, ...rest, ...columns.map((each) => each.schemaElement)] };
}

/** Arrow's own schema travels as base64 under one key; readers want it to have all columns. */
function extendArrowSchema(encoded: Uint8Array, columns: readonly LineageColumn[]): thrift.Value {
  const [KEY, VALUE] = [1, 2];
  const { type, elements } = thrift.readList(encoded);
  const entries = elements.map((element) => {
    const entry = thrift.readStruct(element);
    const [key, value] = [KEY, VALUE].map((id) => latin1(thrift.readText(required(entry, id))));
    if (key !== "ARROW:schema") throw new Error(`Unexpected key "${key}" in the footer`);
    const schema = withLineageFields(Buffer.from(value ?? "", "base64"), columns);
    const text = Buffer.from(Buffer.from(schema.buffer).toString("base64"), "latin1");
    return thrift.withValues(entry, { [VALUE]: { text } });
  });
  return { type, elements: entries };
}

/** Says that minimum and maximum are by the type's own order. */
function extendOrders(encoded: Uint8Array, added: number): thrift.Value {
  const byType = [thrift.struct(1)];
  return extendList(encoded, Array.from({ length: added }, () => byType));
}

function extendList(encoded: Uint8Array, added: readonly thrift.Value[]): thrift.Value {
  const { type, elements } = thrift.readList(encoded);
  return { type, elements: [...elements, ...added] };
}

function required(fields: readonly thrift.EncodedField[], id: number): Uint8Array {
  const value = thrift.valueOf(fields, id);
  if (value === undefined) throw new Error(`Footer lacks field ${id}`);
  return value;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
