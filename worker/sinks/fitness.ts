/** Which columns an output can have, and what to do about those that it can't. */
import type { Column } from "./arrow_schema.ts";
import { SinkError } from "./sink.ts";

/** @throws {SinkError} If a column's name or type doesn't fit into a Parquet file of ours. */
export function checkColumns(columns: readonly Column[]): void {
  const names = new Set<string>();
  for (const column of columns) {
    const why = unfitName(column.name, names) ?? unfitType(column);
    if (why !== undefined) throw new SinkError(`Cannot write column "${column.name}" as ${why}`);
    names.add(column.name);
  }
}

function unfitName(name: string, before: ReadonlySet<string>): string | undefined {
  if (name.startsWith("_cf_")) return `names that start with _cf_ are kept for lineage; rename it`;
  if (before.has(name)) return `most readers refuse two columns of one name; rename one`;
  return undefined;
}

function unfitType(column: Column): string | undefined {
  const instead = insteadOf(column);
  if (instead !== undefined) return `Parquet can't hold ${column.type}; cast it to ${instead}`;
  for (const child of column.children) {
    const why = unfitType(child);
    if (why !== undefined) return why;
  }
  return undefined;
}

/**
 * Without this, some types would make the encoder panic (unions), and some would lose their meaning
 * without a word: Parquet has no seconds, so readers would see plain numbers.
 */
function insteadOf({ kind, type, encoded, children }: Column): string | undefined {
  switch (kind) {
    case 8:
      return type === "date64" ? "date32 or timestamp[ms]" : undefined;
    case 9:
      return type === "time32[s]" ? "time32[ms]" : undefined;
    case 10:
      return type.startsWith("timestamp[s]") || type.startsWith("timestamp[s,")
        ? "timestamp[ms]"
        : undefined;
    case 11:
      return "duration[us]";
    case 13:
      return children.length === 0 ? "a struct with fields, or to null" : undefined;
    case 14:
      return "a struct with a nullable field for each alternative";
    case 23:
      return encoded ? "a dictionary of binary" : undefined;
    case 24:
      return encoded ? "a dictionary of string" : undefined;
    default:
      return undefined;
  }
}
