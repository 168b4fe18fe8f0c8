/** What is checked of a frame before the encoder sees it, without decoding a value. */
import { Buffer } from "node:buffer";
import { guarded, type IpcMessage, ipcMessages, KIND, malformed } from "./arrow_ipc.ts";
import { type Column, readColumns, schemaDifference } from "./arrow_schema.ts";
import { checkColumns } from "./fitness.ts";
import { SinkError } from "./sink.ts";

const BATCH_COMPRESSION = 3; // slot of Arrow's `RecordBatch` table

/** The frames of one output in order: each is held to the first one's schema. */
export class FrameCheck {
  #metadata: Uint8Array | undefined;
  #columns: Column[] = [];

  /**
   * @returns The frame's messages: one schema, then dictionaries and batches.
   * @throws {SinkError} If it is malformed, or its columns can't be written beside those before.
   */
  accept(frame: Uint8Array): IpcMessage[] {
    const messages = [...ipcMessages(frame)];
    const [schema, ...rest] = messages;
    if (schema?.kind !== KIND.schema) throw malformed("it doesn't start with a schema");
    this.#acceptSchema(schema);
    for (const message of rest) acceptData(message);
    return messages;
  }

  #acceptSchema({ metadata, header }: IpcMessage): void {
    if (this.#metadata !== undefined && Buffer.compare(this.#metadata, metadata) === 0) return;
    const columns = guarded(() => readColumns(header));
    if (this.#metadata === undefined) {
      checkColumns(columns);
      this.#columns = columns;
      this.#metadata = metadata.slice();
    } else this.#compare(columns); // bytes may differ in what is dropped: pandas' own metadata
  }

  #compare(columns: readonly Column[]): void {
    const difference = schemaDifference(this.#columns, columns);
    if (difference === undefined) return;
    throw new SinkError(
      `Cannot write a batch as all batches of a topic must have one schema: ${difference}; ` +
        `cast the columns, or give the tables topics of their own`,
    );
  }
}

function acceptData({ kind, header }: IpcMessage): void {
  if (kind !== KIND.batch && kind !== KIND.dictionary) throw malformed(`message of kind ${kind}`);
  if (kind === KIND.batch && guarded(() => header.table(BATCH_COMPRESSION)) !== undefined) {
    throw malformed("its batches are compressed");
  }
}
