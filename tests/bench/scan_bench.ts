/**
 * Times a scan of 50,000 files in 500 folders against `find -printf` over the same tree, through the
 * real scanner thread and a real database: the first scan (which hashes and stores every file), the first
 * after a restart (which compares every folder with the store), and that of an unchanged tree.
 * `deno run -A tests/bench/scan_bench.ts [--json]`
 */
import { DatabaseSync } from "node:sqlite";
import type { Observations, ScanSummary } from "../../sentinel/scanner/observations.ts";
import type { Row } from "./system.ts";
import { Scanner } from "../../sentinel/scanner/scanner.ts";

const FOLDERS = 500;
const FILES_PER_FOLDER = 100;
const ROUNDS = 7;
const OLD_S = 1_700_000_000;

interface Timing {
  ms: number;
  timesFind: number;
}

/** (e) As rows of the common table. */
export async function scans(directory: string): Promise<Row[]> {
  const { "find -printf": find, ...rest } = await measure(directory);
  return Object.entries(rest).map(([what, { ms, timesFind }]) => ({
    what: `(e) scan of 50,000 files: ${what}`,
    value: ms,
    unit: "ms",
    ratio: timesFind,
    floor: `find -printf: ${find!.ms} ms`,
  }));
}

if (import.meta.main) {
  const directory = Deno.makeTempDirSync({ prefix: "casparian-bench-" });
  try {
    const rows = await measure(directory);
    if (Deno.args.includes("--json")) console.log(JSON.stringify(rows));
    else console.table(rows);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

async function measure(directory: string): Promise<Record<string, Timing>> {
  const root = `${directory}/root`;
  makeTree(root);
  const findMs = bestOf(await repeat(() => find(root)));
  const row = (ms: number): Timing => ({ ms: round(ms), timesFind: round(ms / findMs) });
  const database = openDatabase(`${directory}/store.db`);
  const first = await scanning(directory, database, async (scan) => ({ ms: await scan() }));
  const restarted = await scanning(directory, database, async (scan) => {
    return { ms: await scan(), unchangedMs: bestOf(await repeat(scan)) };
  });
  database.close();
  return {
    "find -printf": row(findMs),
    "unchanged tree": row(restarted.unchangedMs),
    "first after a restart": row(restarted.ms),
    "first ever, hashing": row(first.ms),
  };
}

function makeTree(root: string): void {
  for (let folder = 0; folder < FOLDERS; folder++) {
    Deno.mkdirSync(`${root}/day${folder}`, { recursive: true });
    for (let file = 0; file < FILES_PER_FOLDER; file++) {
      const path = `${root}/day${folder}/measurements_${file}.csv`;
      Deno.writeTextFileSync(path, `id;value\n${folder};${file}\n`);
      Deno.utimeSync(path, OLD_S, OLD_S);
    }
  }
}

async function find(root: string): Promise<number> {
  const startMs = performance.now();
  const args = [root, "-printf", "%p %s %T@\\n"];
  const { stdout } = await new Deno.Command("find", { args }).output();
  if (stdout.length === 0) {
    throw new Error("Cannot compare as find must list the tree: got nothing");
  }
  return performance.now() - startMs;
}

/** Runs one life of a scanner; `scan` walks the tree once and returns how long that took. */
async function scanning<T>(
  directory: string,
  database: DatabaseSync,
  use: (scan: () => Promise<number>) => Promise<T>,
): Promise<T> {
  // The first walk begins by itself, and may have begun before it is asked for.
  const walks: ScanSummary[] = [];
  const scanner = new Scanner({
    databasePath: `${directory}/store.db`,
    excludedFolders: [],
    onScanned: (summary) => summary.rootId === 1 ? void walks.push(summary) : undefined,
    // deno-lint-ignore require-await
    onObservations: async (observations) => store(database, observations),
    onFailure: (error) => {
      throw error;
    },
  });
  const pollMs = 3_600_000;
  // A second, empty root is scanned first, so that the thread is known to have started.
  const empty = Deno.makeTempDirSync({ dir: directory });
  scanner.setRoots([{ rootId: 2, name: "empty", directory: empty, pollMs }]);
  scanner.start();
  await scanner.scanNow(2);
  scanner.setRoots([{ rootId: 1, name: "tree", directory: `${directory}/root`, pollMs }]);
  let scans = 0;
  const result = await use(async () => {
    await scanner.scanNow(1);
    const summary = scans++ === 0 ? walks[0] : walks.at(-1);
    if (summary?.files !== FOLDERS * FILES_PER_FOLDER) throw new Error(JSON.stringify(summary));
    return summary.durationMs;
  });
  await scanner.stop();
  return result;
}

function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec(
    `PRAGMA journal_mode = WAL; CREATE TABLE files (root_id, folder, name, size, mtime_ms, ctime_ms,
    inode, problem, arriving, current_version_id DEFAULT 1, deleted_at_ms,
    PRIMARY KEY (root_id, folder, name))`,
  );
  return database;
}

function store(database: DatabaseSync, { rootId, seen }: Observations): void {
  const insert = database.prepare(
    `INSERT OR REPLACE INTO files (root_id, folder, name, size, mtime_ms, ctime_ms, inode)
    VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  database.exec("BEGIN");
  for (const { folder, name, size, mtimeMs, ctimeMs, inode } of seen) {
    insert.run(rootId, folder, name, size, mtimeMs, ctimeMs, inode);
  }
  database.exec("COMMIT");
}

async function repeat(act: () => Promise<number>): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) times.push(await act());
  return times;
}

function bestOf(times: number[]): number {
  return Math.min(...times);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
