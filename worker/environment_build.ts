import { join } from "node:path";
import { EnvironmentError } from "./environment_error.ts";
import type { HostPython } from "./host_python.ts";
import { type LaunchResult, type ProcessEnvironment, runToEnd } from "./launcher.ts";
import { type Lockfile, oldestPython, readLockfile } from "./lockfile.ts";
import type { Uv } from "./uv.ts";

export interface BuildParts {
  readonly uv: Uv;
  readonly python: HostPython;
  readonly onLine: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  readonly limitMs: number;
}

/** What the bytecode compiler sees; the rest of the host is no matter of its. */
const COMPILE_ENVIRONMENT: ProcessEnvironment = { PATH: "/usr/bin:/bin", LANG: "C.UTF-8" };

/** In uv's words when the network, and not the lockfile, is what failed. */
const NETWORK_FAILURE = /error sending request|client error|dns error|Failed to (fetch|download)/;

/** Most that is quoted of uv's explanation. */
const EXPLANATION_CHARS_MAX = 2_000;

/**
 * Locks requirements with uv.
 * @param python Oldest Python to lock for: "3.11".
 * @returns What `uv pip compile` prints.
 * @throws {EnvironmentError} With uv's explanation, if they can not be met.
 */
export async function compileRequirements(
  requirements: string,
  python: string,
  parts: BuildParts,
  cwd: string,
): Promise<string> {
  const target = ["--universal", "--python-version", python, "--python", parts.python.path];
  const output = ["--generate-hashes", "--no-header", "--no-annotate", "--no-build", "-q"];
  const compiled = await runUv(["pip", "compile", "-", ...target, ...output], parts, {
    cwd,
    stdin: requirements,
  });
  if (!compiled.success) throw failed("Cannot lock the dependencies", compiled);
  return compiled.stdout;
}

/**
 * Makes the environment of a lockfile in the empty folder `dir`. It can be moved afterwards.
 * @param pythonRequest Python to make it with, like "3.11" or ">=3.11"; else the lockfile decides.
 * @throws {EnvironmentError} With uv's explanation, if it can not be made.
 */
export async function buildEnvironment(
  dir: string,
  lockfileContent: string,
  pythonRequest: string | undefined,
  parts: BuildParts,
): Promise<void> {
  const lockfile = readLockfile(lockfileContent);
  const python = choosePython(pythonRequest ?? lockfile.python, parts.python);
  const venv = [
    "venv",
    "--relocatable",
    "--no-project",
    "--allow-existing",
    "--python",
    python,
    dir,
  ];
  const made = await runUv(venv, parts, { cwd: dir });
  if (!made.success) throw failed("Cannot make an environment", made);
  const requirements = await installable(dir, lockfile, parts);
  const install = ["pip", "install", "--python", join(dir, "bin", "python"), "--require-hashes"];
  const installed = await runUv([...install, "--no-build", "-r", requirements], parts, {
    cwd: dir,
  });
  if (!installed.success) throw failed("Cannot install the locked dependencies", installed);
  await compileBytecode(dir, parts);
}

/** The host's own Python where it will do, as a search might find another for the same request. */
function choosePython(request: string | undefined, host: HostPython): string {
  if (request === undefined || request === "") return host.path;
  const oldest = /^>=\s*\d+\.\d+$/.test(request) ? oldestPython(request) : undefined;
  return oldest !== undefined && !isOlder(host.version, oldest) ? host.path : request;
}

function isOlder(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [majorMin = 0, minorMin = 0] = than.split(".").map(Number);
  return major < majorMin || (major === majorMin && minor < minorMin);
}

/** Lays the lockfile down in a form that uv installs from; returns that file's name. */
async function installable(dir: string, lockfile: Lockfile, parts: BuildParts): Promise<string> {
  if (lockfile.kind === "pylock") return await laidDown(dir, "pylock.toml", lockfile.text);
  if (lockfile.kind === "requirements") {
    return await laidDown(dir, "requirements.txt", lockfile.text);
  }
  const source = join(dir, "lockfile");
  await Deno.mkdir(source);
  for (const [name, text] of Object.entries(lockfile.files)) await laidDown(source, name, text);
  const exported = await runUv([...lockfile.exportArgs, "-q"], parts, { cwd: source });
  if (!exported.success) throw failed("Cannot read the uv.lock", exported);
  readLockfile(exported.stdout); // refuses what an index does not hold: a path, a URL, a repository
  return await laidDown(dir, "requirements.txt", exported.stdout);
}

async function laidDown(dir: string, name: string, text: string): Promise<string> {
  const path = join(dir, name);
  await Deno.writeTextFile(path, text);
  return path;
}

/**
 * Compiles what plugins import: uncompiled, a read-only environment costs each process 0.9 s more.
 * Leaving out the packages' own tests takes 2 s instead of the 6.5 s of `uv --compile-bytecode`.
 */
async function compileBytecode(dir: string, parts: BuildParts): Promise<void> {
  const options = ["-q", "-j", "0", "-x", "/tests?/"];
  await runToEnd([
    join(dir, "bin", "python"),
    "-I",
    "-m",
    "compileall",
    ...options,
    join(dir, "lib"),
  ], {
    environment: COMPILE_ENVIRONMENT,
    signal: parts.signal,
    limitMs: parts.limitMs,
  }); // fails on a template that is no Python yet, as some packages hold: that is no harm
}

async function runUv(
  args: readonly string[],
  parts: BuildParts,
  options: { cwd: string; stdin?: string },
): Promise<LaunchResult> {
  const { uv, onLine, signal, limitMs } = parts;
  const result = await uv.run(args, { ...options, onLine, signal, limitMs });
  if (result.success || !NETWORK_FAILURE.test(result.stderr)) return result;
  onLine("The package index can not be reached: trying with what is in the cache");
  const offline = await uv.run([...args, "--offline"], { ...options, onLine, signal, limitMs });
  return offline.success ? offline : result;
}

function failed(action: string, result: LaunchResult): EnvironmentError {
  return new EnvironmentError(`${action}: ${explanation(result)}`);
}

/** What uv said from its error on, without the progress before it. */
function explanation({ stderr, code }: LaunchResult): string {
  const said = stderr.slice(Math.max(0, stderr.search(/^error:|^ {2}×/m))).trim();
  return said.replace(/^error: /, "").slice(0, EXPLANATION_CHARS_MAX) ||
    `uv ended with code ${code}`;
}
