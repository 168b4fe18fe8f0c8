/**
 * Arrow values as JSON that loses nothing a reader would miss [pure]: numbers that JavaScript can't
 * hold are strings, times are ISO 8601, bytes are base64, and long texts are cut.
 */
import {
  DataType,
  type Field,
  type RecordBatch,
  RecordBatchReader,
  type StructRow,
  Type,
  type Vector,
} from "apache-arrow";

const TEXT_CHARS_MAX = 10_000;
const DEPTH_MAX = 16;

/**
 * The first rows of an Arrow IPC stream, each an object by column name.
 * @throws {Error} If the stream holds a type that Arrow's JavaScript library does not know.
 */
export function firstRows(ipcStream: Uint8Array, rowsMax: number): Record<string, unknown>[] {
  const rows: Record<string, unknown>[] = [];
  for (const batch of RecordBatchReader.from(ipcStream)) {
    for (let index = 0; index < batch.numRows; index++) {
      if (rows.length >= rowsMax) return rows;
      rows.push(rowOf(batch, index));
    }
  }
  return rows;
}

function rowOf(batch: RecordBatch, index: number): Record<string, unknown> {
  const cells = batch.schema.fields.map((field, column) => [
    field.name,
    jsonOf(batch.getChildAt(column)?.get(index), field.type),
  ]);
  return Object.fromEntries(cells);
}

function jsonOf(value: unknown, type: DataType, depth = 0): unknown {
  if (value === null || value === undefined) return null;
  if (depth > DEPTH_MAX) return "…";
  if (DataType.isDictionary(type)) return jsonOf(value, type.dictionary, depth);
  if (DataType.isTimestamp(type)) return timestampText(value as number, type.timezone);
  if (DataType.isDate(type)) return new Date(Number(value)).toISOString().slice(0, 10);
  if (DataType.isTime(type)) return timeText(Number(value), UNITS_PER_S[type.unit]!);
  if (DataType.isDecimal(type)) return decimalText(value as Uint32Array, type.scale);
  if (DataType.isList(type) || DataType.isFixedSizeList(type)) {
    return listOf(value as Vector, type.children[0]!.type, depth);
  }
  if (DataType.isStruct(type)) return structOf(value as StructRow, type, depth);
  if (type.typeId === Type.Map) return mapOf(value as Iterable<[unknown, unknown]>, type, depth);
  return plainJson(value);
}

function plainJson(value: unknown): unknown {
  switch (typeof value) {
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : `${value}`;
    case "bigint":
      return Number.isSafeInteger(Number(value)) ? Number(value) : `${value}`;
    case "string":
      return value.length > TEXT_CHARS_MAX ? `${value.slice(0, TEXT_CHARS_MAX)}…` : value;
  }
  if (value instanceof Uint8Array) return value.subarray(0, TEXT_CHARS_MAX).toBase64();
  return `${value}`;
}

function listOf(values: Vector, type: DataType, depth: number): unknown[] {
  return Array.from(values, (value) => jsonOf(value, type, depth + 1));
}

function structOf(row: StructRow, type: DataType, depth: number): Record<string, unknown> {
  const values = row.toJSON() as Record<string, unknown>;
  return Object.fromEntries(
    type.children.map(({ name, type }) => [name, jsonOf(values[name], type, depth + 1)]),
  );
}

/** As pairs, since the keys may be of any type. */
function mapOf(map: Iterable<[unknown, unknown]>, type: DataType, depth: number): unknown[] {
  const [keyType, valueType] = type.children[0]!.type.children.map((child: Field) => child.type);
  return Array.from(map, ([key, value]) => [
    jsonOf(key, keyType!, depth + 1),
    jsonOf(value, valueType!, depth + 1),
  ]);
}

/** By Arrow's TimeUnit: seconds, milliseconds, microseconds, nanoseconds. */
const UNITS_PER_S = [1, 1e3, 1e6, 1e9];

function timestampText(ms: number, timezone: string | null | undefined): string {
  const date = new Date(Math.floor(ms));
  if (Number.isNaN(date.getTime())) return `${ms} ms`; // outside of years that ISO 8601 can spell
  const [seconds] = date.toISOString().split(".");
  const micros = Math.round((ms - Math.floor(ms / 1000) * 1000) * 1000);
  return `${seconds}${fraction(micros, 6)}${timezone ? "Z" : ""}`;
}

function timeText(value: number, unitsPerS: number): string {
  const seconds = Math.floor(value / unitsPerS);
  const text = new Date(seconds * 1000).toISOString().slice(11, 19);
  return `${text}${fraction(value - seconds * unitsPerS, Math.log10(unitsPerS))}`;
}

function fraction(value: number, digits: number): string {
  return value === 0 ? "" : `.${`${value}`.padStart(digits, "0").replace(/0+$/, "")}`;
}

/** From the little-endian two's complement that Arrow stores. */
function decimalText(words: Uint32Array, scale: number): string {
  const bits = 32 * words.length;
  const unsigned = words.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n);
  const value = BigInt.asIntN(bits, unsigned);
  const digits = `${value < 0n ? -value : value}`.padStart(scale + 1, "0");
  const point = digits.length - scale;
  const text = scale > 0 ? `${digits.slice(0, point)}.${digits.slice(point)}` : digits;
  return value < 0n ? `-${text}` : text;
}
