/**
 * Times the Parquet sink alone, frames in, files promoted: many small outputs (100 rows × 5 columns)
 * and one large output (rows × 8 columns, in frames of about 16 MB), each case in a process of its own
 * so that its peak memory is its own. With `--python PATH`, whose pyarrow then writes the same
 * frames, also against pyarrow.
 * `deno run -A tests/bench/sink_bench.ts [--json] [--python PATH] [--rows N,N]`
 */
import {
  Bool,
  Field,
  Float64,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableToIPC,
  TimestampMicrosecond,
  Utf8,
  vectorFromArray,
} from "apache-arrow";
import { ParquetSink } from "../../worker/sinks/parquet.ts";
import type { OutputSpec } from "../../worker/sinks/sink.ts";

const FRAME_ROWS = 250_000;
const SMALL_FILES = 2_000;
const SMALL_AT_ONCE = 8;

interface Result {
  seconds: number;
  /** Of Arrow data in. */
  megabytes: number;
  files: number;
  cpuSeconds: number;
  /** Share of the processor time that the main thread took. */
  mainShare: number;
  peakRssMb: number;
  outMegabytes: number;
}

async function report(): Promise<void> {
  const results: Record<string, Result | { seconds: number; outMegabytes: number }> = {
    "2,000 small files, 2 threads": await inProcess(0),
  };
  const sizes = (option("--rows") ?? "1000000,4000000,8000000").split(",").map(Number);
  for (const rows of sizes) results[`${rows} rows × 8, one writer`] = await inProcess(rows);
  const python = option("--python");
  if (python !== undefined) {
    for (const rows of sizes) results[`${rows} rows × 8, pyarrow`] = await pyarrow(python, rows);
  }
  if (Deno.args.includes("--json")) console.log(JSON.stringify(results));
  else console.table(Object.fromEntries(Object.entries(results).map(([k, v]) => [k, rates(v)])));
}

function rates(result: Partial<Result> & { seconds: number }): Record<string, unknown> {
  const { megabytes, files } = result;
  return {
    ...result,
    ...(megabytes ? { "MB/s": Math.round(megabytes / result.seconds) } : {}),
    ...(files ? { "files/s": Math.round(files / result.seconds) } : {}),
  };
}

async function inProcess(rows: number): Promise<Result> {
  const framePath = await Deno.makeTempFile({ prefix: "casparian-bench-" });
  try {
    await Deno.writeFile(framePath, rows === 0 ? smallFrame() : largeFrame());
    const args = ["run", "-A", import.meta.filename!, "case", `${rows}`, framePath];
    return JSON.parse(await output(Deno.execPath(), args));
  } finally {
    await Deno.remove(framePath);
  }
}

/**
 * @param rows 0 for the small files.
 * @param framePath One frame, made by another process so that this one's peak memory is the sink's.
 */
async function runCase(rows: number, framePath: string): Promise<Result> {
  const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "casparian-bench-" }));
  const sink = new ParquetSink({ directory, startId: "bench", threadsMax: 2 });
  const frame = await Deno.readFile(framePath);
  await sink.warm();
  const before = processorSeconds();
  const startMs = performance.now();
  try {
    const frames = rows === 0 ? SMALL_FILES : rows / FRAME_ROWS;
    const outBytes = rows === 0
      ? await writeSmall(sink, directory, frame)
      : await writeLarge(sink, directory, frame, frames);
    const seconds = (performance.now() - startMs) / 1000;
    const after = processorSeconds();
    return {
      seconds: round(seconds),
      megabytes: round(frames * frame.length / 1e6),
      files: rows === 0 ? SMALL_FILES : 1,
      cpuSeconds: round(after.all - before.all),
      mainShare: round((after.main - before.main) / (after.all - before.all)),
      peakRssMb: peakRssMb(),
      outMegabytes: round(outBytes / 1e6),
    };
  } finally {
    await sink.close();
    await Deno.remove(directory, { recursive: true });
  }
}

async function writeSmall(sink: ParquetSink, directory: string, frame: Uint8Array<ArrayBuffer>) {
  let [next, bytes] = [0, 0];
  const lane = async () => {
    while (next < SMALL_FILES) {
      const writer = sink.open(specOf(directory, ++next));
      await writer.write(frame.slice());
      const staged = await writer.finish();
      await sink.promote(staged, []);
      bytes += staged.bytes;
    }
  };
  await Promise.all(Array.from({ length: SMALL_AT_ONCE }, lane));
  return bytes;
}

async function writeLarge(
  sink: ParquetSink,
  directory: string,
  frame: Uint8Array<ArrayBuffer>,
  frames: number,
): Promise<number> {
  const writer = sink.open(specOf(directory, 1));
  for (let sent = 0; sent < frames; sent++) await writer.write(frame.slice());
  const staged = await writer.finish();
  await sink.promote(staged, []);
  return staged.bytes;
}

function specOf(directory: string, file: number): OutputSpec {
  return {
    jobId: file,
    attempt: 1,
    generation: 1,
    topic: "bench",
    directory: `${directory}/bench`,
    pluginName: "bench",
    pluginVersion: "1.0.0",
    fileId: `${file}`.padStart(64, "0"),
    sourceHash: "ab".repeat(32),
    fileName: `file${file}.csv`,
    keyedBySource: false,
  };
}

function smallFrame(): Uint8Array<ArrayBuffer> {
  return frameOf(100, [["id", new Int64()], ["amount", new Float64()], ["qty", new Int32()], [
    "region",
    new Utf8(),
  ], ["sku", new Utf8()]]);
}

function largeFrame(): Uint8Array<ArrayBuffer> {
  return frameOf(FRAME_ROWS, [
    ["id", new Int64()],
    ["amount", new Float64()],
    ["qty", new Int32()],
    ["region", new Utf8()],
    ["sku", new Utf8()],
    ["ts", new TimestampMicrosecond()],
    ["ok", new Bool()],
    ["price", new Float64()],
  ]);
}

type ColumnType = Int64 | Float64 | Int32 | Utf8 | TimestampMicrosecond | Bool;

function frameOf(rows: number, columns: [string, ColumnType][]): Uint8Array<ArrayBuffer> {
  const vectors = columns.map(([name, type]) => {
    return vectorFromArray(Array.from({ length: rows }, (_, row) => valueOf(name, row)), type);
  });
  const schema = new Schema(columns.map(([name, type]) => new Field(name, type, true)));
  const children = vectors.map((vector) => vector.data[0]!);
  const data = makeData({ type: new Struct(schema.fields), length: rows, children });
  return new Uint8Array(tableToIPC(new Table(schema, new RecordBatch(schema, data)), "stream"));
}

const REGIONS = ["north", "south", "east", "west", "up", "down"];

function valueOf(name: string, row: number): unknown {
  const scattered = (row * 2654435761) % 4294967296; // the same in every run
  switch (name) {
    case "id":
      return BigInt(row);
    case "amount":
      return scattered / 4294967.296;
    case "qty":
      return scattered % 100;
    case "region":
      return REGIONS[scattered % 6];
    case "sku":
      return `sku-${scattered % 50_000}`;
    case "ts":
      return 1_700_000_000_000 + row;
    case "ok":
      return scattered % 2 === 0;
    default:
      return (scattered % 10_000) / 100;
  }
}

const PYARROW = `
import os, sys, time
import pyarrow as pa, pyarrow.ipc, pyarrow.parquet as pq
source, frames = sys.argv[1], int(sys.argv[2])
data = open(source, "rb").read()
start = time.monotonic()
writer = None
for _ in range(frames):
    table = pa.ipc.open_stream(data).read_all()
    writer = writer or pq.ParquetWriter(source + ".parquet", table.schema, compression="zstd")
    writer.write_table(table)
writer.close()
seconds = time.monotonic() - start
print(f'{{"seconds": {seconds}, "bytes": {os.path.getsize(source + ".parquet")}}}')
`;

async function pyarrow(python: string, rows: number) {
  const directory = await Deno.makeTempDir({ prefix: "casparian-bench-" });
  try {
    const frame = largeFrame();
    await Deno.writeFile(`${directory}/frame`, frame);
    const frames = rows / FRAME_ROWS;
    const args = ["-c", PYARROW, `${directory}/frame`, `${frames}`];
    const { seconds, bytes } = JSON.parse(await output(python, args));
    const megabytes = round(frames * frame.length / 1e6);
    return { seconds: round(seconds), megabytes, outMegabytes: round(bytes / 1e6) };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function output(program: string, args: string[]): Promise<string> {
  const child = await new Deno.Command(program, { args, stderr: "inherit" }).output();
  if (!child.success) throw new Error(`Cannot run ${program}: it ended with code ${child.code}`);
  return new TextDecoder().decode(child.stdout);
}

/** Of all threads, and of the main one, as Linux counts them: in hundredths of a second. */
function processorSeconds(): { all: number; main: number } {
  const seconds = (path: string) => {
    const fields = Deno.readTextFileSync(path).split(") ")[1]!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  };
  return { all: seconds("/proc/self/stat"), main: seconds(`/proc/self/task/${Deno.pid}/stat`) };
}

function peakRssMb(): number {
  const [, kib] = Deno.readTextFileSync("/proc/self/status").match(/VmHWM:\s+(\d+)/)!;
  return Math.round(Number(kib) / 1024);
}

function option(name: string): string | undefined {
  const at = Deno.args.indexOf(name);
  return at < 0 ? undefined : Deno.args[at + 1];
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

if (import.meta.main) {
  const [mode, rows, framePath] = Deno.args;
  if (mode === "case") console.log(JSON.stringify(await runCase(Number(rows), framePath!)));
  else await report();
}
