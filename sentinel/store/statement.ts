/** A prepared statement with typed rows: the type says what its SELECT or RETURNING names. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";

// deno-lint-ignore no-explicit-any -- values are checked by SQLite's STRICT tables
type Values = Record<string, any>;

export interface Statement<Row> {
  get(values?: Values): Row | undefined;
  all(values?: Values): Row[];
  run(values?: Values): { changes: number; lastId: number };
}

/** @param text One SQL statement; `:name` parameters are given by name, unknown names are ignored. */
export function statement<Row = never>(db: DatabaseSync, text: string): Statement<Row> {
  const prepared = db.prepare(text);
  prepared.setAllowUnknownNamedParameters(true);
  return {
    get: (values = {}) => prepared.get(values as Record<string, SQLInputValue>) as Row | undefined,
    all: (values = {}) => prepared.all(values as Record<string, SQLInputValue>) as Row[],
    run(values = {}) {
      const { changes, lastInsertRowid } = prepared.run(values as Record<string, SQLInputValue>);
      return { changes: Number(changes), lastId: Number(lastInsertRowid) };
    },
  };
}
