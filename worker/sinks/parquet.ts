/** The sink that writes one Parquet file for each file, plugin and topic. */
import { resolve } from "node:path";
import { EncoderThreads } from "./encoder_threads.ts";
import { checkInside, finalPath, stagedPath } from "./naming.ts";
import { ParquetWriter } from "./parquet_writer.ts";
import { promoteOutput, sweepOutputs } from "./promote.ts";
import type {
  OutputSpec,
  OutputWriter,
  Sink,
  StagedOutput,
  SweepCatalog,
  SweepReport,
} from "./sink.ts";

export interface ParquetSinkOptions {
  /** The folder of all outputs, absolute; nothing outside of it is written or removed. */
  directory: string;
  /** Unique to this run of the worker; letters and digits. */
  startId: string;
  threadsMax?: number;
  /** A thread without work for so long is ended, which gives its memory back. */
  idleMs?: number;
}

export class ParquetSink implements Sink {
  readonly #directory: string;
  readonly #startId: string;
  readonly #threads: EncoderThreads;
  readonly #writers = new Set<ParquetWriter>();
  #lastNumber = 0;

  constructor(options: ParquetSinkOptions) {
    this.#directory = resolve(options.directory);
    this.#startId = options.startId;
    this.#threads = new EncoderThreads(options.threadsMax ?? 2, options.idleMs ?? 10_000);
  }

  /** Starts a thread, so that the next output needn't wait for it (0.1 s). */
  async warm(): Promise<void> {
    this.#threads.release(await this.#threads.acquire());
  }

  open(spec: OutputSpec): OutputWriter {
    const { topic, generation } = spec;
    const [uri, staged] = [finalPath(spec), stagedPath(spec, this.#startId)];
    checkInside(this.#directory, uri);
    const lineage = {
      fileId: spec.fileId,
      sourceHash: spec.sourceHash,
      plugin: `${spec.pluginName}@${spec.pluginVersion}`,
    };
    const place = { topic, uri, staged, generation };
    const onEnd = (writer: ParquetWriter) => this.#writers.delete(writer);
    const writer = new ParquetWriter(++this.#lastNumber, place, lineage, this.#threads, onEnd);
    this.#writers.add(writer);
    return writer;
  }

  async promote(staged: StagedOutput, retiredUris: readonly string[]): Promise<void> {
    await promoteOutput(this.#directory, staged, retiredUris);
  }

  async sweep(catalog: SweepCatalog): Promise<SweepReport> {
    const mine = [...this.#writers].map(({ place }) => place.staged);
    const undecided = [...catalog.undecided, ...mine];
    return await sweepOutputs(this.#directory, { ...catalog, undecided }, Date.now());
  }

  async close(): Promise<void> {
    await Promise.all([...this.#writers].map((writer) => writer.abort()));
    this.#threads.close();
  }
}
