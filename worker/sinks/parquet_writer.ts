/** The writer of one Parquet output, on the worker's main thread. */
import { SHIM_BATCH_BYTES_MAX } from "../../protocol/ids.ts";
import type { EncoderThread } from "./encoder_thread.ts";
import type { EncoderThreads } from "./encoder_threads.ts";
import type { Lineage } from "./lineage_columns.ts";
import type { Written } from "./encoder_messages.ts";
import { removeIfThere } from "./promote.ts";
import { type OutputWriter, SinkError, type StagedOutput } from "./sink.ts";

/** Up to this many bytes of frames are kept back, to be written by one message. */
const WHOLE_BYTES_MAX = 1024 * 1024;

type Place = Pick<StagedOutput, "topic" | "uri" | "staged" | "generation">;

export class ParquetWriter implements OutputWriter {
  #kept: Uint8Array<ArrayBuffer>[] = [];
  #keptBytes = 0;
  #thread: EncoderThread | undefined;
  /** The write that the encoder hasn't taken yet; one more may follow it. */
  #taking: Promise<unknown> = Promise.resolve();
  #ended: Error | undefined;

  constructor(
    readonly number: number,
    readonly place: Place,
    readonly lineage: Lineage,
    readonly threads: EncoderThreads,
    readonly onEnd: (writer: ParquetWriter) => void,
  ) {}

  async write(ipcStream: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#guard(async () => {
      this.#kept.push(owned(ipcStream));
      this.#keptBytes += ipcStream.length;
      if (this.#thread === undefined && this.#keptBytes <= WHOLE_BYTES_MAX) return;
      await this.#sendKept(await this.#open());
    });
  }

  async finish(): Promise<StagedOutput> {
    const written = await this.#guard(() => this.#finish());
    await this.#end(new Error("Cannot use a writer that is finished"));
    return { ...this.place, rows: written.rows, bytes: written.bytes };
  }

  async abort(): Promise<void> {
    if (this.#ended !== undefined) return;
    await this.#discard(new SinkError("Cannot write on as the output was aborted"));
  }

  async #finish(): Promise<Written> {
    if (this.#thread !== undefined) {
      await this.#taking;
      return await this.#thread.run(this.number, { op: "finish" });
    }
    if (this.#kept.length === 0) {
      throw new SinkError(
        "Cannot finish an output without a schema as no batch came: yield a table",
      );
    }
    const thread = this.#thread = await this.threads.acquire();
    const { lineage, place, number } = this;
    const frames = this.#kept.splice(0);
    const task = { op: "whole", path: place.staged, lineage, frames } as const;
    return await thread.run(number, task, frames.map(({ buffer }) => buffer));
  }

  async #open(): Promise<EncoderThread> {
    if (this.#thread !== undefined) return this.#thread;
    const thread = this.#thread = await this.threads.acquire();
    const { lineage, place, number } = this;
    await thread.run(number, { op: "open", path: place.staged, lineage });
    return thread;
  }

  async #sendKept(thread: EncoderThread): Promise<void> {
    for (const frame of this.#kept.splice(0)) {
      await this.#taking;
      const isLarge = frame.length > SHIM_BATCH_BYTES_MAX; // then none may wait while it is encoded
      this.#taking = thread.run(this.number, { op: "write", frame }, [frame.buffer]);
      this.#taking.catch(() => {}); // whoever awaits it next sees the failure
      if (isLarge) await this.#taking;
    }
  }

  /** After a failure the writer is aborted, so nothing stays behind even if nobody calls `abort`. */
  async #guard<T>(act: () => Promise<T>): Promise<T> {
    if (this.#ended !== undefined) throw this.#ended;
    try {
      return await act();
    } catch (error) {
      await this.#discard(error as Error);
      throw error;
    }
  }

  async #discard(why: Error): Promise<void> {
    this.#ended = why;
    this.#kept = [];
    await this.#thread?.run(this.number, { op: "abort" }).catch(() => {}); // it may have ended
    await removeIfThere(this.place.staged);
    await this.#end(why);
  }

  // deno-lint-ignore require-await
  async #end(why: Error): Promise<void> {
    this.#ended = why;
    if (this.#thread !== undefined) this.threads.release(this.#thread);
    this.#thread = undefined;
    this.onEnd(this);
  }
}

/** A frame whose buffer holds nothing else, so that it can be given to another thread. */
function owned(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}
