/** Names and types of an Arrow schema message, to compare schemas and to speak of columns in errors. */
import type { FlatTable } from "./flatbuffer.ts";

/** Slots of Arrow's `Schema` and `Field` tables. */
export const SCHEMA = { endianness: 0, fields: 1, metadata: 2, features: 3 } as const;
export const FIELD = {
  name: 0,
  nullable: 1,
  typeKind: 2,
  type: 3,
  dictionary: 4,
  children: 5,
} as const;
const FIELDS_MAX = 100_000;

export interface Column {
  name: string;
  /** As pyarrow spells it, for example `timestamp[us, tz=UTC]`. */
  type: string;
  nullable: boolean;
  /** Of `Type` in Arrow's schema; of the values, if the column is dictionary-encoded. */
  kind: number;
  encoded: boolean;
  children: Column[];
}

/** @throws {RangeError} If the metadata is malformed. */
export function readColumns(schema: FlatTable): Column[] {
  // Offsets may share tables, so a few bytes could spell a tree without end: count what is visited.
  const budget = { fields: FIELDS_MAX };
  return schema.tables(SCHEMA.fields).map((field) => readColumn(field, budget));
}

/** @returns What differs first, for an error message, or `undefined` if nothing does. */
export function schemaDifference(
  before: readonly Column[],
  now: readonly Column[],
): string | undefined {
  for (let index = 0; index < Math.max(before.length, now.length); index++) {
    const [was, is] = [before[index], now[index]].map(spell);
    if (was !== is) return `column ${index + 1} was ${was} and is ${is}`;
  }
  return undefined;
}

function spell(column: Column | undefined): string {
  if (column === undefined) return "absent";
  return `"${column.name}" ${column.type}${column.nullable ? "" : " not null"}`;
}

function readColumn(field: FlatTable, budget: { fields: number }): Column {
  if (--budget.fields < 0) throw new RangeError(`More than ${FIELDS_MAX} fields`);
  const children = field.tables(FIELD.children).map((child) => readColumn(child, budget));
  const kind = field.u8(FIELD.typeKind);
  const value = spellType(kind, field.table(FIELD.type), children);
  const dictionary = field.table(FIELD.dictionary);
  const index = dictionary?.table(1);
  return {
    name: field.text(FIELD.name),
    type: dictionary ? `dictionary<${index ? spellInt(index) : "int32"}, ${value}>` : value,
    nullable: field.u8(FIELD.nullable) !== 0,
    kind,
    encoded: dictionary !== undefined,
    children,
  };
}

const UNITS = ["s", "ms", "us", "ns"];
const PLAIN: Record<number, string> = {
  1: "null",
  4: "binary",
  5: "string",
  6: "bool",
  19: "large_binary",
  20: "large_string",
  23: "binary_view",
  24: "string_view",
};
const NESTED: Record<number, string> = {
  12: "list",
  13: "struct",
  17: "map",
  21: "large_list",
  22: "run_end_encoded",
  25: "list_view",
  26: "large_list_view",
};

function spellType(kind: number, type: FlatTable | undefined, children: Column[]): string {
  const plain = PLAIN[kind];
  if (plain !== undefined) return plain;
  const inner = children.map((child) => `${child.name}: ${child.type}`).join(", ");
  const nested = NESTED[kind];
  if (nested !== undefined) return `${nested}<${inner}>`;
  return type === undefined ? `type ${kind}` : spellParameters(kind, type, inner);
}

function spellParameters(kind: number, type: FlatTable, inner: string): string {
  switch (kind) {
    case 2:
      return spellInt(type);
    case 3:
      return ["halffloat", "float", "double"][type.i16(0)] ?? "float";
    case 7:
      return `decimal${type.i32(2, 128)}(${type.i32(0)}, ${type.i32(1)})`;
    case 8:
      return type.i16(0, 1) === 0 ? "date32" : "date64";
    case 9:
      return `time${type.i32(1, 32)}[${UNITS[type.i16(0, 1)]}]`;
    case 10: {
      const zone = type.text(1);
      return `timestamp[${UNITS[type.i16(0)]}${zone ? `, tz=${zone}` : ""}]`;
    }
    case 11:
      return `${["month", "day_time", "month_day_nano"][type.i16(0)]}_interval`;
    case 14:
      return `${["sparse", "dense"][type.i16(0)]}_union<${inner}>`;
    case 15:
      return `fixed_size_binary[${type.i32(0)}]`;
    case 16:
      return `fixed_size_list<${inner}>[${type.i32(0)}]`;
    case 18:
      return `duration[${UNITS[type.i16(0, 1)]}]`;
    default:
      return `type ${kind}`;
  }
}

function spellInt(type: FlatTable): string {
  return `${type.u8(1) ? "int" : "uint"}${type.i32(0)}`;
}
