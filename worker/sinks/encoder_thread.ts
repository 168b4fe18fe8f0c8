/** One encoder thread as the worker's main thread sees it. */
import type { EncoderFailure, EncoderReply, EncoderTask, Written } from "./encoder_messages.ts";
import { SHIM_BATCH_BYTES_MAX } from "../../protocol/ids.ts";
import { SinkError } from "./sink.ts";

export class EncoderThread {
  /** Outputs being written on it. */
  outputs = 0;
  /** It has had a frame for which its memory grew, and WebAssembly's memory never shrinks. */
  outgrown = false;
  /** Rejects if the encoder can't be loaded; nothing else may be run before. */
  readonly loaded: Promise<unknown>;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, PromiseWithResolvers<Written>>();
  #lastId = 0;
  #end: SinkError | undefined;

  constructor(module: WebAssembly.Module) {
    this.#worker = new Worker(import.meta.resolve("./parquet_thread.ts"), {
      type: "module",
      name: "parquet encoder",
    });
    this.#worker.onmessage = ({ data }: MessageEvent<EncoderReply>) => this.#settle(data);
    this.#worker.onerror = (event) => { // a panic inside of the encoder's own task
      event.preventDefault();
      this.terminate(`the encoder failed: ${event.message}`);
    };
    this.loaded = this.run(0, { op: "load", module });
    this.loaded.catch((error) => this.terminate(error.message));
  }

  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** @throws {SinkError} As the task does, or if the thread ended before. */
  run(output: number, task: EncoderTask, transfer: Transferable[] = []): Promise<Written> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const id = ++this.#lastId;
    const waiting = Promise.withResolvers<Written>();
    if (task.op === "write" && task.frame.length > SHIM_BATCH_BYTES_MAX) this.outgrown = true;
    this.#waiting.set(id, waiting);
    this.#worker.postMessage({ ...task, id, output }, transfer);
    return waiting.promise;
  }

  /** Fails all that waits. Idempotent. */
  terminate(why: string): void {
    if (this.#end !== undefined) return;
    this.#end = new SinkError(`Cannot go on writing as ${why}`, { retryable: true });
    this.#worker.terminate();
    for (const waiting of this.#waiting.values()) waiting.reject(this.#end);
    this.#waiting.clear();
  }

  #settle(reply: EncoderReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ("written" in reply) waiting?.resolve(reply.written);
    else this.#fail(reply.failure, waiting);
  }

  #fail(failure: EncoderFailure, waiting: PromiseWithResolvers<Written> | undefined): void {
    waiting?.reject(new SinkError(failure.message, { retryable: failure.retryable }));
    if (failure.panicked) this.terminate("the encoder failed on another output of its thread");
  }
}
