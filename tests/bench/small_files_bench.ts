/**
 * (a) Many small files: 2,000 CSV files of 100 rows and 5 columns through `start --once`, from the first
 * job's commit to the last one's, against a plain Python loop over the same files. The environment is
 * warm; the start-up of Python, which the loop's figure does not hold either, is reported apart.
 */
import { join } from "node:path";
import {
  jobsSince,
  lastJob,
  pythonOf,
  pythonSeconds,
  round,
  type Row,
  startOnce,
  type Work,
} from "./system.ts";

const FILES = 2000;
const FILES_ISOLATED = 400;
const OLD_S = 1_700_000_000;

const plugin = (name: string, isolation: string) =>
  `import pandas as pd
MANIFEST = {"name": "${name}", "pattern": "${name}/*.csv", "topic": "${name}", "isolation": "${isolation}"}
class Handler:
    def execute(self, file_path):
        yield pd.read_csv(file_path)
`;

const LOOP = `import sys, time, glob, pandas as pd
files = sorted(glob.glob(sys.argv[1] + "/*.csv"))
pd.read_csv(files[0]).to_parquet(sys.argv[2] + "/warm.parquet")
start = time.perf_counter()
for i, f in enumerate(files):
    pd.read_csv(f).to_parquet(f"{sys.argv[2]}/{i}.parquet")
print(time.perf_counter() - start)
`;

export async function smallFiles(directory: string): Promise<Row[]> {
  const [state, root, loopOut] = ["state", "root", "loop"].map((name) => join(directory, name));
  const args = ["--state", state!, "--root", root!];
  for (const name of ["shared", "isolated"]) {
    Deno.mkdirSync(join(root!, name), { recursive: true });
    const file = join(directory, `${name}.py`);
    Deno.writeTextFileSync(file, plugin(name, name === "shared" ? "plugin" : "job"));
    args.push("--plugin", file);
    makeFiles(join(root!, name), 0, 1);
  }
  await startOnce(args, directory);
  const shared = await run("shared", FILES);
  const isolated = await run("isolated", FILES_ISOLATED);
  Deno.mkdirSync(loopOut!);
  const loop = FILES / await pythonSeconds(pythonOf(state!), LOOP, join(root!, "shared"), loopOut!);
  const rate = ({ jobs, seconds, startUpSeconds }: Work) => (jobs - 1) / (seconds - startUpSeconds);
  const floor = `plain Python loop: ${round(loop, 0)} files/s`;
  return [
    {
      what: "(a) small files",
      value: round(rate(shared), 0),
      unit: "files/s",
      ratio: round(rate(shared) / loop),
      floor,
    },
    { what: "(a) start-up before the first commit", value: shared.startUpSeconds, unit: "s" },
    {
      what: "(a) small files, isolation job",
      value: round(rate(isolated), 0),
      unit: "files/s",
      ratio: round(rate(isolated) / loop),
      floor,
    },
  ];

  async function run(name: string, count: number): Promise<Work> {
    makeFiles(join(root!, name), 1, count);
    const before = lastJob(state!);
    await startOnce(args, directory);
    const work = jobsSince(state!, before);
    if (work.jobs !== count - 1) throw new Error(`${work.jobs} jobs of ${count - 1} were done`);
    return work;
  }
}

function makeFiles(folder: string, first: number, end: number): void {
  for (let file = first; file < end; file++) {
    const rows = Array.from(
      { length: 100 },
      (_, row) =>
        `${file * 100 + row},name${row},${row * 1.5 + file},${row % 2},2026-01-${row % 28 + 1}`,
    );
    const path = join(folder, `data_${String(file).padStart(5, "0")}.csv`);
    Deno.writeTextFileSync(path, `id,name,value,flag,day\n${rows.join("\n")}\n`);
    Deno.utimeSync(path, OLD_S, OLD_S);
  }
}
