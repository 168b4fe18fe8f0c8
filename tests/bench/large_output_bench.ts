/**
 * (b) Latency on an idle, warm system, and (c) one plugin that yields millions of rows against pyarrow
 * writing the same batches, with the worker's peak memory for 1 and for 8 million rows.
 */
import { join } from "node:path";
import {
  jobsSince,
  lastJob,
  peakMib,
  pythonOf,
  pythonSeconds,
  query,
  round,
  type Row,
  startOnce,
  startProgram,
  until,
} from "./system.ts";

const LATENCY_FILES = 20;
const SETTLE_MS = 2000;

const BATCH = `
import numpy as np, pyarrow as pa
def batch(rows):
    n = np.arange(rows)
    return pa.table({"id": n, "a": n * 0.5, "b": np.sin(n), "c": n % 1000, "flag": n % 2 == 0,
        "name": pa.array(["name%d" % (i % 5000) for i in range(rows)]), "d": n * 7, "e": np.sqrt(n)})
`;
const BATCH_ROWS = 100_000;

const PLUGIN = `${BATCH}
MANIFEST = {"name": "large", "pattern": "*.rows", "topic": "large"}
TABLE = batch(${BATCH_ROWS})
class Handler:
    def execute(self, file_path):
        for _ in range(int(open(file_path).read()) // ${BATCH_ROWS}):
            yield TABLE
`;
const WRITE = `import sys, time, pyarrow.parquet as pq
${BATCH}
table = batch(${BATCH_ROWS})
start = time.perf_counter()
with pq.ParquetWriter(sys.argv[1], table.schema, compression="zstd") as writer:
    for _ in range(int(sys.argv[2]) // ${BATCH_ROWS}):
        writer.write_table(table)
print(time.perf_counter() - start)
`;

export async function latencyAndLargeOutput(directory: string): Promise<Row[]> {
  const [state, root] = ["state", "root"].map((name) => join(directory, name));
  Deno.mkdirSync(root!, { recursive: true });
  const plugin = join(directory, "large.py");
  Deno.writeTextFileSync(plugin, PLUGIN);
  await startOnce(["--state", state!, "--plugin", plugin, "--root", root!], directory);
  await using _sentinel = startProgram("sentinel", ["--state", state!, "--root", root!], directory);
  await until("the sentinel", () => Deno.statSync(join(state!, "sentinel.json")).isFile);
  await using worker = startProgram("worker", ["--state", state!], directory);

  const perRun = async (rows: number) => {
    const before = lastJob(state!);
    Deno.writeTextFileSync(join(root!, `r${rows}.rows`), String(rows));
    await until(`${rows} rows`, () => jobsSince(state!, before).jobs === 1);
    return { rate: rows / jobsSince(state!, before).seconds, peak: peakMib(worker.pid) };
  };
  const one = await perRun(1_000_000);
  const four = await perRun(4_000_000);
  const eight = await perRun(8_000_000);
  const aside = join(directory, "pyarrow.parquet");
  const arrow = 4_000_000 / await pythonSeconds(pythonOf(state!), WRITE, aside, "4000000");
  const latencies = await latency(state!, root!);
  const floor = `pyarrow: ${round(arrow / 1e6)} million rows/s`;
  return [
    {
      what: "(b) latency over the settle time, median",
      value: latencies[LATENCY_FILES / 2]!,
      unit: "ms",
    },
    { what: "(b) latency, worst of 20", value: latencies.at(-1)!, unit: "ms" },
    {
      what: "(c) 4 million rows x 8 columns",
      value: round(four.rate / 1e6),
      unit: "million rows/s",
      ratio: round(four.rate / arrow),
      floor,
    },
    { what: "(c) worker's peak memory, 1 million rows", value: one.peak, unit: "MiB" },
    {
      what: "(c) worker's peak memory, 8 million rows",
      value: eight.peak,
      unit: "MiB",
      ratio: round(eight.peak / one.peak),
      floor: "1 million rows",
    },
  ];
}

/** Sorted: from the file's last change, plus the settle time, to the commit of its output. */
async function latency(state: string, root: string): Promise<number[]> {
  const before = lastJob(state);
  for (let file = 0; file < LATENCY_FILES; file++) {
    Deno.writeTextFileSync(join(root, `small${file}.rows`), "0");
    await new Promise((resolve) => setTimeout(resolve, 350)); // apart, so that none waits for another
  }
  await until("the small files", () => jobsSince(state, before).jobs === LATENCY_FILES);
  return query<{ ms: number }>(
    state,
    `SELECT j.finished_at_ms - f.mtime_ms - ${SETTLE_MS} AS ms FROM processing_jobs j
     JOIN files f ON f.id = j.file_id WHERE j.id > ${before} ORDER BY 1`,
  ).map(({ ms }) => round(ms, 0));
}
