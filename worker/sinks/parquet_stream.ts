/**
 * A large output, encoded while its frames arrive: row groups reach the file as they are completed,
 * so memory holds one of them and a few frames, whatever the number of rows.
 *
 * parquet-wasm's encoder runs as a task of its own that reads batches from one stream and writes to
 * another. It drops its own errors without a word, hence the count of rows at the end.
 */
import { type RecordBatch, transformParquetStream } from "parquet-wasm/esm";
import { FrameCheck } from "./frame_check.ts";
import { type Lineage, lineageColumns } from "./lineage_columns.ts";
import {
  encodeWhole,
  encoding,
  encodingError,
  tableOf,
  writerProperties,
} from "./parquet_encoder.ts";
import { footerBytes, TRAILER_BYTES, withLineage } from "./parquet_footer.ts";
import { SinkError } from "./sink.ts";
import { StagedFile } from "./staged_file.ts";

export class ParquetStream {
  readonly #file: StagedFile;
  readonly #lineage: Lineage;
  readonly #check = new FrameCheck();
  readonly #batches = new Handoff<RecordBatch>();
  /** The file being written; ends after `#batches` does. */
  #writing: Promise<void> | undefined;
  #schemaFrame: Uint8Array | undefined;
  #failure: unknown;
  #rows = 0;

  constructor(path: string, lineage: Lineage) {
    this.#file = new StagedFile(path);
    this.#lineage = lineage;
  }

  /** Resolves when the encoder took the frame's last batch, so one frame waits while one is encoded. */
  async write(frame: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#check.accept(frame);
    using table = tableOf(frame);
    const batches = encoding(() => table.recordBatches());
    if (batches.length === 0) this.#schemaFrame ??= frame;
    else release(frame);
    for (const batch of batches) {
      this.#rows += batch.numRows;
      await this.#encode(batch);
      if (this.#failure !== undefined) throw this.#failure;
    }
  }

  /** @throws {SinkError} If anything went wrong since the last write. */
  async finish(): Promise<{ rows: number; bytes: number }> {
    if (this.#writing === undefined) this.#writeWithoutBatches();
    else {
      await this.#end();
      if (this.#failure !== undefined) throw this.#failure;
      this.#addLineage();
    }
    await this.#file.commit();
    return { rows: this.#rows, bytes: this.#file.bytes };
  }

  async abort(): Promise<void> {
    if (this.#writing !== undefined) await this.#end();
    await this.#file.discard();
  }

  async #encode(batch: RecordBatch): Promise<void> {
    if (this.#writing !== undefined) return await this.#batches.give(batch);
    const output = transformParquetStream(this.#batches.stream, writerProperties());
    await this.#batches.give(batch);
    try {
      this.#writing = this.#writeAll(await output);
    } catch (error) {
      throw encodingError(error);
    }
  }

  /** Goes on reading after a failure, as the encoder would wait for ever otherwise. */
  async #writeAll(output: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const bytes of output) {
      try {
        if (this.#failure === undefined) this.#file.write(bytes);
        release(bytes);
      } catch (error) {
        this.#failure = error;
      }
    }
  }

  async #end(): Promise<void> {
    this.#batches.end();
    await this.#writing;
  }

  #addLineage(): void {
    const footer = footerBytes(this.#file.tail(TRAILER_BYTES)) + TRAILER_BYTES;
    const at = this.#file.bytes - footer;
    const columns = lineageColumns(this.#lineage);
    const { tail, rows } = withLineage(this.#file.tail(footer), at, columns);
    if (rows !== this.#rows) {
      throw new SinkError(
        `Cannot write ${this.#file.path} as the encoder kept ${rows} of ${this.#rows} rows`,
      );
    }
    this.#file.replaceTail(at, tail);
  }

  #writeWithoutBatches(): void {
    if (this.#schemaFrame === undefined) {
      throw new SinkError("Cannot finish an output of no frames");
    }
    const { parts } = encodeWhole(this.#schemaFrame, this.#lineage);
    for (const part of parts) this.#file.write(part);
  }
}

/** Frees the memory now: the collector sees small objects and would let many large buffers gather. */
function release(bytes: Uint8Array<ArrayBuffer>): void {
  bytes.buffer.transfer(0);
}

/** A stream whose writer waits until its value is asked for. */
class Handoff<T> {
  readonly stream: ReadableStream<T>;
  #asked = Promise.withResolvers<void>();
  #controller!: ReadableStreamDefaultController<T>;
  #ended = false;

  constructor() {
    const source: UnderlyingDefaultSource<T> = {
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#asked.resolve(),
    };
    this.stream = new ReadableStream(source, { highWaterMark: 0 });
  }

  async give(value: T): Promise<void> {
    await this.#asked.promise;
    this.#asked = Promise.withResolvers();
    this.#controller.enqueue(value);
  }

  end(): void {
    if (!this.#ended) this.#controller.close();
    this.#ended = true;
  }
}
