/**
 * All that this worker may write to: a sink for `--output` and for each mapped folder. An output belongs
 * to the sink whose folder it lies in. A mapped folder may be a source root, perhaps read-only, so nothing
 * is made in it before the first output, and it is swept only where outputs were written once.
 */
import { join, sep } from "node:path";
import type { SinkFolders } from "./sink_folders.ts";
import { stagingDirectory } from "./sinks/naming.ts";
import { removeIfThere } from "./sinks/promote.ts";
import {
  type OutputSpec,
  type OutputWriter,
  type Sink,
  SinkError,
  type StagedOutput,
  type SweepCatalog,
} from "./sinks/sink.ts";
import { hasMarks, liveStarts, StartMark } from "./start_marks.ts";

/** A receipt of a worker that died may still be on its way to the sentinel's catalog. */
const SWEEP_GRACE_MS = 60_000;
/** How deep below a sink's folder topics may lie: `parquet://output/team/project/topic`. */
const TOPIC_DEPTH_MAX = 4;

export class SinkSet {
  readonly #sinks = new Map<string, Sink>();
  readonly #marks = new Map<string, StartMark>();
  readonly #directories: string[];

  /** @param make Makes the sink of a folder. */
  constructor(
    private readonly folders: SinkFolders,
    private readonly startId: string,
    private readonly make: (directory: string) => Sink,
  ) {
    this.#directories = [...new Set([folders.output, ...Object.values(folders.maps)])];
  }

  /** Makes the output folder, and shows other workers that this one lives. */
  start(): void {
    this.#mark(this.folders.output);
  }

  /** Safe to call twice. */
  async stop(): Promise<void> {
    for (const sink of this.#sinks.values()) await sink.close();
    for (const mark of this.#marks.values()) await mark.remove();
    this.#marks.clear();
  }

  /** @throws {SinkError} If the place is outside of every folder, or cannot be written to. */
  open(spec: OutputSpec): OutputWriter {
    const directory = this.#folderOf(spec.directory);
    this.#mark(directory);
    return this.#sinkIn(directory).open(spec);
  }

  async promote(output: StagedOutput): Promise<void> {
    await this.#sinkOf(output.uri).promote(output, []);
  }

  async discard(outputs: readonly StagedOutput[]): Promise<void> {
    await Promise.all(outputs.map(({ staged }) => removeIfThere(staged)));
  }

  /** Removes outputs that others have replaced. */
  async retire(uris: readonly string[]): Promise<void> {
    for (const uri of uris) await this.#sinkOf(uri).sweep({ ...NOTHING, retired: [uri] });
  }

  /** Removes what dead starts of workers left staged, but for what the catalog `keeps`. */
  async sweep(keeps: readonly string[]): Promise<void> {
    for (const directory of this.#directories) {
      if (!await hasMarks(directory)) continue;
      const live = await liveStarts(directory);
      const topics = await Array.fromAsync(topicFolders(directory, TOPIC_DEPTH_MAX));
      const undecided = [...keeps];
      for (const topic of topics) undecided.push(...await stagedBy(live, stagingDirectory(topic)));
      await this.#sinkIn(directory).sweep({
        ...NOTHING,
        directories: topics,
        undecided,
        graceMs: SWEEP_GRACE_MS,
      });
    }
  }

  #sinkOf(path: string): Sink {
    return this.#sinkIn(this.#folderOf(path));
  }

  #folderOf(path: string): string {
    const directory = this.#directories
      .filter((candidate) => `${path}${sep}`.startsWith(`${candidate}${sep}`))
      .reduce((longest, candidate) => candidate.length > longest.length ? candidate : longest, "");
    if (directory === "") throw outside(path, this.#directories);
    return directory;
  }

  #sinkIn(directory: string): Sink {
    let sink = this.#sinks.get(directory);
    if (!sink) this.#sinks.set(directory, sink = this.make(directory));
    return sink;
  }

  #mark(directory: string): void {
    if (this.#marks.has(directory)) return;
    try {
      this.#marks.set(directory, StartMark.set(directory, this.startId));
    } catch (cause) {
      const reason = (cause as Error).message;
      throw new SinkError(
        `Cannot write to ${directory}: ${reason}; let the worker's user write there, or choose another ` +
          "folder",
        { cause, retryable: true },
      );
    }
  }
}

const NOTHING: SweepCatalog = {
  directories: [],
  committed: [],
  retired: [],
  undecided: [],
  graceMs: 0,
};

function outside(path: string, directories: readonly string[]): SinkError {
  return new SinkError(
    `Cannot write ${path} as it must be inside ${directories.join(" or ")}: ` +
      `start the worker with --map NAME=DIR`,
  );
}

/** Folders below `directory` in which something was staged once. */
async function* topicFolders(directory: string, depthMax: number): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    const path = join(directory, name);
    if (path === stagingDirectory(directory)) yield directory;
    else if (isDirectory && !name.startsWith(".") && depthMax > 1) {
      yield* topicFolders(path, depthMax - 1);
    }
  }
}

/** `<final name>.<start id>.a<attempt>.staged` */
async function stagedBy(starts: ReadonlySet<string>, staging: string): Promise<string[]> {
  const names = await Array.fromAsync(Deno.readDir(staging), ({ name }) => name);
  return names
    .filter((name) => starts.has(/\.([^.]+)\.a\d+\.staged$/.exec(name)?.[1] ?? ""))
    .map((name) => join(staging, name));
}
