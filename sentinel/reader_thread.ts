/** The thread behind reader.ts: one read at a time, over a connection of its own. */
import { ControlError } from "../protocol/control.ts";
import { openSqliteReads, type ReadMethod } from "./store/sqlite_reads.ts";

export interface ReadRequest {
  id: number;
  method: ReadMethod;
  params: unknown;
}
export type ReadReply =
  | { id: number; result: unknown }
  | { id: number; error: { code: string; message: string } };

const scope = self as unknown as DedicatedWorkerScope;
interface DedicatedWorkerScope {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: ReadReply): void;
}

scope.onmessage = ({ data: { database } }: MessageEvent<{ database: string }>) => {
  const reads = openSqliteReads(database);
  scope.onmessage = ({ data }: MessageEvent<ReadRequest>) => {
    scope.postMessage(answer(data));
  };

  function answer({ id, method, params }: ReadRequest): ReadReply {
    try {
      return { id, result: reads[method](params as never) };
    } catch (error) {
      const code = error instanceof ControlError ? error.code : "internal";
      return { id, error: { code, message: (error as Error).message } };
    }
  }
};
