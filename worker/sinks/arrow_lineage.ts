/** The lineage columns in Arrow's schema, which the Parquet file carries along. */
import { framed, ipcMessages, KIND, malformed } from "./arrow_ipc.ts";
import { SCHEMA } from "./arrow_schema.ts";
import {
  flatbuffer,
  i16,
  i32,
  i64,
  inTail,
  type Slot,
  table,
  tables,
  text,
  u8,
} from "./flatbuffer.ts";
import { ROW_COLUMN } from "./lineage_columns.ts";

const TYPE = { int: 2, utf8: 5 };

/**
 * New Message, Schema and field list in front of the old bytes, where the plugin's own fields still
 * lie. The schema's metadata is left out: pandas puts each batch's row count there.
 * @param schema An Arrow IPC stream that starts with a schema message.
 * @returns One schema message with its framing.
 */
export function withLineageFields(
  schema: Uint8Array,
  columns: readonly { name: string }[],
): Uint8Array<ArrayBuffer> {
  const [message] = ipcMessages(schema);
  if (message?.kind !== KIND.schema) throw malformed("it doesn't start with a schema");
  const plugin = message.header.tables(SCHEMA.fields).map((field) => inTail(field.at));
  const header = table(i16(0), tables([...plugin, ...columns.map(lineageField)]));
  const root = [i16(message.version), u8(KIND.schema), header, i64(0)];
  return framed(flatbuffer(root, message.metadata));
}

function lineageField({ name }: { name: string }): Slot {
  const isRow = name === ROW_COLUMN;
  const type = isRow ? table(i32(64), u8(1)) : table();
  const [nullable, children] = [u8(0), tables([])];
  return table(text(name), nullable, u8(isRow ? TYPE.int : TYPE.utf8), type, undefined, children);
}
