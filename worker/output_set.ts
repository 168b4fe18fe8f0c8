/** The outputs of one attempt: a writer for each topic it yields to, opened with the first batch. */
import type { BatchTarget } from "./plugin_stream.ts";
import type { SinkSet } from "./sink_set.ts";
import type { OutputSpec, OutputWriter, StagedOutput } from "./sinks/sink.ts";

export class OutputSet implements BatchTarget {
  readonly #writers = new Map<string, OutputWriter>();

  /** @param allowed The first is where batches go that name no topic. */
  constructor(
    private readonly sinks: Pick<SinkSet, "open" | "discard">,
    readonly allowed: readonly string[],
    private readonly specOf: (topic: string) => OutputSpec,
  ) {}

  get defaultTopic(): string {
    return this.allowed[0] ?? "";
  }

  allows(topic: string): boolean {
    return this.allowed.includes(topic);
  }

  /** Resolves when the sink wants more. Takes ownership of the buffer. */
  async write(topic: string, ipcStream: Uint8Array<ArrayBuffer>): Promise<void> {
    let writer = this.#writers.get(topic);
    if (!writer) {
      writer = this.sinks.open(this.specOf(topic));
      this.#writers.set(topic, writer);
    }
    await writer.write(ipcStream);
  }

  /**
   * All outputs staged and synced, or none.
   * @throws {SinkError} If one of them can't be written; the others are gone then.
   */
  async finish(): Promise<StagedOutput[]> {
    const finished = await Promise.allSettled([...this.#writers.values()].map((w) => w.finish()));
    const failed = finished.find((result) => result.status === "rejected");
    const staged = finished.flatMap((result) => result.status === "fulfilled" ? result.value : []);
    if (!failed) return staged;
    await this.sinks.discard(staged);
    throw failed.reason;
  }

  async abort(): Promise<void> {
    await Promise.allSettled([...this.#writers.values()].map((writer) => writer.abort()));
  }
}
