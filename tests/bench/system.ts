/** A real sentinel and worker for a benchmark, started with the permissions they have in earnest. */
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { launchArguments } from "../../security/launch.ts";

const PROJECT = new URL("../../", import.meta.url);
const POLL_MS = 100;
const WAIT_MS_MAX = 300_000;

export interface Running extends AsyncDisposable {
  pid: number;
}

/** @param args As after `casparian NAME`; the program's output is dropped. */
export function startProgram(
  name: "sentinel" | "worker" | "start",
  args: readonly string[],
  cwd: string,
): Running {
  const child = new Deno.Command(Deno.execPath(), {
    args: launchArguments(name, [...args], cwd),
    cwd: PROJECT,
    env: { INIT_CWD: cwd },
    stdin: "null",
    stdout: "null",
    stderr: Deno.env.has("CASPARIAN_DEBUG") ? "inherit" : "null",
  }).spawn();
  let ended = false;
  const status = child.status.then(() => ended = true);
  return {
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      if (!ended) child.kill("SIGTERM");
      await status;
    },
  };
}

/** Runs `casparian start --once` to its end. @throws {Error} If it ends with anything but 0. */
export async function startOnce(args: readonly string[], cwd: string): Promise<void> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: launchArguments("start", [...args, "--once"], cwd),
    cwd: PROJECT,
    env: { INIT_CWD: cwd },
    stdin: "null",
  }).output();
  if (code === 0) return;
  const decoder = new TextDecoder();
  throw new Error(
    `start --once ended with ${code}: ${decoder.decode(stdout)}${decoder.decode(stderr)}`,
  );
}

/** A read-only look into the store of a state folder. */
export function query<Row>(state: string, sql: string): Row[] {
  const db = new DatabaseSync(join(state, "casparian.sqlite3"), { readOnly: true, timeout: 5000 });
  try {
    return db.prepare(sql).all() as Row[];
  } finally {
    db.close();
  }
}

export interface Work {
  jobs: number;
  /** From the first claim to the last commit. */
  seconds: number;
  /** From the first claim to the first commit: a cold process is started in it. */
  startUpSeconds: number;
}

/** What was done since `afterJob`. */
export function jobsSince(state: string, afterJob: number): Work {
  const [row] = query<{ jobs: number; ms: number; startUpMs: number }>(
    state,
    `SELECT count(*) AS jobs, max(finished_at_ms) - min(started_at_ms) AS ms,
       min(finished_at_ms) - min(started_at_ms) AS startUpMs
     FROM job_attempts WHERE status = 'COMPLETED' AND job_id > ${afterJob}`,
  );
  return { jobs: row!.jobs, seconds: row!.ms / 1000, startUpSeconds: row!.startUpMs / 1000 };
}

export function lastJob(state: string): number {
  return query<{ id: number | null }>(state, "SELECT max(id) AS id FROM processing_jobs")[0]!.id ??
    0;
}

/** Waits for the store to say so; a store that is not there yet says no. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + WAIT_MS_MAX;
  while (!attempt(holds)) {
    if (Date.now() > deadline) throw new Error(`Cannot wait any longer for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function attempt(holds: () => boolean): boolean {
  try {
    return holds();
  } catch {
    return false;
  }
}

/** The Python of the one environment in a state folder. */
export function pythonOf(state: string): string {
  const [row] = query<{ env_hash: string }>(
    state,
    "SELECT env_hash FROM plugin_manifests WHERE status = 'ACTIVE' ORDER BY id DESC LIMIT 1",
  );
  return join(state, "envs", row!.env_hash, "bin", "python");
}

/** Seconds that a Python script says it took, on its last line. */
export async function pythonSeconds(
  python: string,
  script: string,
  ...args: string[]
): Promise<number> {
  const { success, stdout, stderr } = await new Deno.Command(python, {
    args: ["-c", script, ...args],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return Number(new TextDecoder().decode(stdout).trim().split("\n").at(-1));
}

/** Peak resident memory of a process since its start, in MiB. */
export function peakMib(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Math.round(Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? NaN) / 1024);
}

export interface Row {
  what: string;
  value: number;
  unit: string;
  /** Against the floor measured in the same run. */
  ratio?: number;
  floor?: string;
}

export const round = (value: number, digits = 2) => Number(value.toFixed(digits));
