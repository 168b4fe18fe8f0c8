/** What the sink's tests share: a sink in a folder of its own, frames, and DuckDB to read back. */
import { DuckDBInstance } from "@duckdb/node-api";
import { tableFromArrays, tableToIPC } from "apache-arrow";
import { ParquetSink, type ParquetSinkOptions } from "./parquet.ts";
import type { OutputSpec, OutputWriter, StagedOutput } from "./sink.ts";

export const FILE_ID = "a1".repeat(32);
export const SOURCE_HASH = "b2".repeat(32);

export interface TestSink extends AsyncDisposable {
  directory: string;
  sink: ParquetSink;
  spec(changes?: Partial<OutputSpec>): OutputSpec;
}

export async function makeSink(options: Partial<ParquetSinkOptions> = {}): Promise<TestSink> {
  const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "casparian-sink-" }));
  const sink = new ParquetSink({ directory, startId: "w1", threadsMax: 1, ...options });
  return {
    directory,
    sink,
    spec: (changes) => ({ ...specIn(directory), ...changes }),
    async [Symbol.asyncDispose]() {
      await sink.close();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

export function specIn(directory: string): OutputSpec {
  return {
    jobId: 7,
    attempt: 1,
    generation: 1,
    topic: "sales",
    directory: `${directory}/sales`,
    pluginName: "csv_demo",
    pluginVersion: "1.0.0",
    fileId: FILE_ID,
    sourceHash: SOURCE_HASH,
    fileName: "north 2024.csv",
    keyedBySource: false,
  };
}

type Columns = Parameters<typeof tableFromArrays>[0];

/** One table as an Arrow IPC stream, in a buffer of its own. */
export function frameOf(columns: Columns): Uint8Array<ArrayBuffer> {
  return new Uint8Array(tableToIPC(tableFromArrays(columns), "stream"));
}

/** Frames of `rows` numbers and texts each, counting on through all of them. */
export function* countingFrames(frames: number, rows: number): Generator<Uint8Array<ArrayBuffer>> {
  for (let frame = 0; frame < frames; frame++) {
    const id = Float64Array.from({ length: rows }, (_, row) => frame * rows + row);
    yield frameOf({ id, name: Array.from(id, (value) => `name ${value % 97}`) });
  }
}

export async function write(
  writer: OutputWriter,
  frames: Iterable<Uint8Array<ArrayBuffer>>,
): Promise<StagedOutput> {
  for (const frame of frames) await writer.write(frame);
  return await writer.finish();
}

/** Rows of a query as DuckDB gives them; `$1` is the file. */
export async function query(sql: string, path: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    const result = await connection.runAndReadAll(sql, [path]);
    return result.getRowObjectsJS();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Every file below the folder, relative to it. */
export async function filesIn(directory: string, prefix = ""): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${directory}/${prefix}`)) {
    if (isDirectory) files.push(...await filesIn(directory, `${prefix}${name}/`));
    else files.push(prefix + name);
  }
  return files.sort();
}
