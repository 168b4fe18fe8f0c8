/** What doctor looks at: each check finds one thing out, changes nothing that stays, and never throws. */
import { statfsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { CliIo } from "../protocol/ports.ts";
import type { DoctorOptions, Finding } from "./doctor.ts";
import { findHostPython, type HostPython } from "./host_python.ts";
import { findProgram, type ProcessEnvironment, runToEnd } from "./launcher.ts";
import { probeSandbox } from "./sandbox.ts";

const GIB = 1024 ** 3;
/** One environment with pandas takes 0.3 GiB. */
const FREE_BYTES = { bad: 0.5 * GIB, warn: 5 * GIB } as const;
/** Files settle after 2 s, so clocks that differ by more make a file look new, or never settled. */
const CLOCK_SKEW_MS = 1_000;
const PIP_LIMIT_MS = 20_000;

type Verdict = Pick<Finding, "verdict" | "found" | "mend">;
const ok = (found: string): Verdict => ({ verdict: "ok", found });
const warn = (found: string, mend: string): Verdict => ({ verdict: "warn", found, mend });
const bad = (found: string, mend: string): Verdict => ({ verdict: "bad", found, mend });

export async function examine(
  options: DoctorOptions,
  io: CliIo,
  environment: ProcessEnvironment,
): Promise<Finding[]> {
  const state = resolve(io.cwd, options.state);
  const output = resolve(io.cwd, options.output ?? join(state, "output"));
  const python = await findHostPython(environment).catch((error: Error) => error);
  const checks: [string, () => Verdict | Promise<Verdict>][] = [
    ["python", () => pythonVerdict(python)],
    ["uv", () => checkUv(python, state, environment)],
    ["sandbox", checkSandbox],
    ["state", () => checkState(state)],
    ["disk", () => checkDisk(state)],
    ["output", () => checkDisk(output)],
    ["clock", () => checkClock(state, io)],
    ["address", () => checkAddressFree(options.listen, state)],
  ];
  return await Promise.all(
    checks.map(async ([check, run]) => ({ check, ...await Promise.try(run).catch(unexpected) })),
  );
}

function unexpected(error: Error): Verdict {
  return bad(error.message, "see the message; CASPARIAN_DEBUG=1 tells more");
}

function pythonVerdict(python: HostPython | Error): Verdict {
  if (!(python instanceof Error)) return ok(`${python.path} is Python ${python.version}`);
  return bad(python.message, "install Python 3.10 or newer, or name one in CASPARIAN_PYTHON");
}

async function checkUv(
  python: HostPython | Error,
  state: string,
  environment: ProcessEnvironment,
): Promise<Verdict> {
  const found = environment.CASPARIAN_UV ?? await findProgram("uv") ?? await installedUv(state);
  if (found) return ok(found);
  if (python instanceof Error) return warn("not found", "install uv, or Python and pip first");
  const tried = await Promise.all(
    ["pip", "venv"].map((module) =>
      runToEnd([python.path, "-m", module, "--help"], { environment, limitMs: PIP_LIMIT_MS })
    ),
  );
  return tried.some(({ success }) => success)
    ? ok("not found; it is installed into the state folder when first needed")
    : bad(
      "not found, and there is neither pip nor venv to install it",
      "install uv or python3-pip",
    );
}

async function installedUv(state: string): Promise<string | undefined> {
  const tools = join(state, "tools");
  const names = await Array.fromAsync(Deno.readDir(tools), ({ name }) => name).catch(() => []);
  const home = names.find((name) => /^uv-[\d.]+$/.test(name));
  return home && join(tools, home, "bin", "uv");
}

async function checkSandbox(): Promise<Verdict> {
  const { grade, way, missing } = await probeSandbox();
  const found = `grade ${grade}${way === "none" ? "" : ` by ${way}`}`;
  if (way !== "none") return ok(found);
  return warn(
    `${found}: plugins reach the network and your files (${missing.join("; ")})`,
    "install bubblewrap, or allow unprivileged user namespaces",
  );
}

async function checkState(state: string): Promise<Verdict> {
  const info = await Deno.stat(state).catch(() => null);
  if (info === null) return ok(`${state} is not there yet; it is made when first needed`);
  if (!info.isDirectory) return bad(`${state} is no folder`, "name another one with --state");
  const probe = join(state, `.doctor-${crypto.randomUUID()}`);
  try {
    await Deno.writeTextFile(probe, "");
    await Deno.remove(probe);
  } catch (error) {
    return bad(
      `${state}: ${(error as Error).message}`,
      `make it yours: chown and chmod 700 ${state}`,
    );
  }
  const open = (info.mode ?? 0) & 0o077;
  return open === 0
    ? ok(`${state} is yours alone`)
    : warn(`${state} can be entered by other users`, `chmod 700 ${state}`);
}

async function checkDisk(folder: string): Promise<Verdict> {
  const existing = await nearestExisting(folder);
  const { bavail, bsize } = statfsSync(existing);
  const free = bavail * bsize;
  const found = `${(free / GIB).toFixed(1)} GiB free at ${existing}`;
  if (free < FREE_BYTES.bad) return bad(found, "free some space, or name another folder");
  return free < FREE_BYTES.warn ? warn(found, "an environment takes up to 1 GiB") : ok(found);
}

async function nearestExisting(path: string): Promise<string> {
  while (!await Deno.stat(path).then(() => true, () => false)) path = dirname(path);
  return path;
}

/** The clock of the state's file system, which on a share is another machine's. */
async function checkClock(state: string, io: CliIo): Promise<Verdict> {
  if (!await Deno.stat(state).then(() => true, () => false)) {
    return ok("not looked at: no state yet");
  }
  const probe = join(state, `.doctor-${crypto.randomUUID()}`);
  await Deno.writeTextFile(probe, "");
  const { mtime } = await Deno.stat(probe);
  const skewMs = Math.abs(io.nowMs() - (mtime?.getTime() ?? 0));
  await Deno.remove(probe);
  const found = `the file system's clock differs by ${Math.round(skewMs)} ms`;
  return skewMs <= CLOCK_SKEW_MS ? ok(found) : warn(found, "let both machines keep time (NTP)");
}

async function checkAddressFree(listen: string | undefined, state: string): Promise<Verdict> {
  const [, hostname, port] = /^tcp:\/\/(.+):(\d+)$/.exec(listen ?? "") ?? [];
  if (hostname && port) return checkPort(hostname, Number(port));
  const running = await isHeld(join(state, "sentinel.lock"));
  return ok(
    running ? "a sentinel runs on this state folder" : "no sentinel runs on this state folder",
  );
}

function checkPort(hostname: string, port: number): Verdict {
  try {
    Deno.listen({ hostname, port }).close();
    return ok(`${hostname}:${port} is free`);
  } catch (error) {
    return bad(
      `${hostname}:${port}: ${(error as Error).message}`,
      "stop what uses it, or choose another port",
    );
  }
}

async function isHeld(lock: string): Promise<boolean> {
  try {
    using file = await Deno.open(lock, { write: true });
    return !file.tryLockSync(true);
  } catch {
    return false; // none has ever run here
  }
}
