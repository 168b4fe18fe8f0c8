/**
 * All that this worker may write to: a sink for `--output` and for each mapped folder, made when it is
 * first needed. An output belongs to the sink whose folder it lies in.
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
import { liveStarts, StartMark } from "./start_marks.ts";

/** A receipt of a worker that died may still be on its way to the sentinel's catalog. */
const SWEEP_GRACE_MS = 60_000;
/** How deep below a sink's folder topics may lie: `parquet://output/team/project/topic`. */
const TOPIC_DEPTH_MAX = 4;

export class SinkSet {
  readonly #sinks = new Map<string, Sink>();
  readonly #marks: StartMark[] = [];
  readonly #directories: string[];

  /** @param make Makes the sink of a folder. */
  constructor(
    folders: SinkFolders,
    private readonly startId: string,
    private readonly make: (directory: string) => Sink,
  ) {
    this.#directories = [...new Set([folders.output, ...Object.values(folders.maps)])];
  }

  /** Makes the folders, and shows other workers that this one lives. */
  async start(): Promise<void> {
    for (const directory of this.#directories) {
      await Deno.mkdir(directory, { recursive: true });
      this.#marks.push(await StartMark.set(directory, this.startId));
    }
  }

  /** Safe to call twice. */
  async stop(): Promise<void> {
    for (const sink of this.#sinks.values()) await sink.close();
    for (const mark of this.#marks.splice(0)) await mark.remove();
  }

  /** @throws {SinkError} If the place is outside of every folder. */
  open(spec: OutputSpec): OutputWriter {
    return this.#sinkOf(spec.directory).open(spec);
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
      const live = await liveStarts(directory);
      const topics = await Array.fromAsync(topicFolders(directory, TOPIC_DEPTH_MAX));
      const undecided = [...keeps];
      for (const topic of topics) undecided.push(...await stagedBy(live, stagingDirectory(topic)));
      await this.#sinkOf(directory).sweep({
        ...NOTHING,
        directories: topics,
        undecided,
        graceMs: SWEEP_GRACE_MS,
      });
    }
  }

  #sinkOf(path: string): Sink {
    const directory = this.#directories
      .filter((candidate) => `${path}${sep}`.startsWith(`${candidate}${sep}`))
      .reduce((longest, candidate) => candidate.length > longest.length ? candidate : longest, "");
    if (directory === "") throw outside(path, this.#directories);
    let sink = this.#sinks.get(directory);
    if (!sink) this.#sinks.set(directory, sink = this.make(directory));
    return sink;
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
