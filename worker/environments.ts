/**
 * Python environments by the hash of their lockfile, in `<state>/envs`:
 *
 * - `<hash>/` is ready: it holds a virtual environment and, written last, its marker `casparian.json`,
 *   whose time says when it was last used. It came there by one rename, so no half of it is ever seen.
 * - `.building/<hash>.<random>/` is being made or thrown away. Whoever does so holds the lock
 *   `.locks/<hash>`, which the kernel frees when he dies: what lies there without a lock is swept.
 * - `logs/<hash>.log` is the output of the last build.
 *
 * A ready environment needs neither uv nor network. One whose interpreter is gone (an upgrade of the
 * host's Python breaks the link) counts as missing and is made again.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { SYSTEM_ENVIRONMENT } from "../protocol/ids.ts";
import { buildEnvironment, type BuildParts, compileRequirements } from "./environment_build.ts";
import { EnvironmentError } from "./environment_error.ts";
import { type EnvironmentMarker, readMarker, writeMarker } from "./environment_marker.ts";
import { withFileLock, withFreeFileLock } from "./file_lock.ts";
import { describePython, findHostPython, type HostPython } from "./host_python.ts";
import type { ProcessEnvironment } from "./launcher.ts";
import { composeLockfile, oldestPython, requirementsText } from "./lockfile.ts";
import { Uv } from "./uv.ts";

export interface EnvironmentsOptions {
  readonly stateDir: string;
  /** What uv, pip and Python see: PATH, HOME, and the user's UV_, PIP_, SSL_ and proxy variables. */
  readonly environment: ProcessEnvironment;
  readonly nowMs: () => number;
  /** Longest that uv may take for one step. */
  readonly limitMs?: number;
}

export interface PreparedEnvironment {
  readonly interpreterPath: string;
  /** It was ready before. */
  readonly cached: boolean;
  /** Folders that a process must see to run it: the environment's own and the interpreter's. */
  readonly folders: readonly string[];
}

export interface ListedEnvironment {
  readonly envHash: string;
  readonly bytes: number;
  readonly lastUsedMs: number;
}

type OnLog = (line: string) => void;

const LIMIT_MS = 10 * 60_000;

export class Environments {
  readonly #dir: string;
  #python: Promise<HostPython> | undefined;
  #uv: Promise<Uv> | undefined;

  constructor(private readonly options: EnvironmentsOptions) {
    this.#dir = join(options.stateDir, "envs");
  }

  /**
   * Locks requirements, pyarrow always among them, to what the index has now.
   * @param request.pythonVersion Python it is for, like "3.11" or ">=3.10"; else this host's.
   * @throws {EnvironmentError} With uv's explanation, if no versions meet them.
   */
  async resolve(
    request: { requirements: readonly string[]; pythonVersion?: string },
    onLog: OnLog = () => {},
    signal?: AbortSignal,
  ): Promise<{ lockfileContent: string; envHash: string }> {
    const requirements = requirementsText(request.requirements);
    const parts = await this.#buildParts(onLog, signal);
    const oldest = oldestPython(request.pythonVersion) ?? oldestPython(parts.python.version) ??
      "3.10";
    const cwd = await madeDir(this.#dir);
    const compiled = await compileRequirements(requirements, oldest, parts, cwd);
    const lockfileContent = composeLockfile(compiled, oldest);
    return { lockfileContent, envHash: hashOf(lockfileContent) };
  }

  /**
   * Makes sure that the environment of a lockfile is there. Of several that ask for the same one, in
   * any process, one makes it while the others wait.
   * @param request.envHash SHA-256 of the content, or "system" for the host's own Python.
   * @throws {EnvironmentError} If the lockfile is not that hash's, is none, or can not be installed.
   */
  async prepare(
    request: { envHash: string; lockfileContent: string; pythonVersion?: string },
    onLog: OnLog = () => {},
    signal?: AbortSignal,
  ): Promise<PreparedEnvironment> {
    const { envHash, lockfileContent, pythonVersion } = request;
    if (envHash === SYSTEM_ENVIRONMENT) return await this.#system();
    checkHash(envHash, lockfileContent);
    const ready = await this.#ready(envHash, pythonVersion) ??
      await withFileLock(this.#lockPath(envHash), async () => {
        const made = await this.#ready(envHash, pythonVersion);
        if (made !== null) return made;
        await this.#build(envHash, lockfileContent, pythonVersion, onLog, signal);
        return null;
      }, { signal, onWait: () => onLog("Waiting for another build of the same environment") });
    const marker = ready ?? await readMarker(this.#home(envHash));
    if (marker === null) throw new Error(`Environment ${envHash} vanished as it was made`);
    return { ...this.#prepared(envHash, marker), cached: ready !== null };
  }

  /** The host's own Python, for peers that ask for no environment. */
  async #system(): Promise<PreparedEnvironment> {
    const python = await this.hostPython();
    return { interpreterPath: python.path, cached: true, folders: python.prefixes };
  }

  /** @throws {EnvironmentError} If there is none that will do. */
  hostPython(): Promise<HostPython> {
    return this.#python ??= forgetting(
      findHostPython(this.options.environment),
      () => this.#python = undefined,
    );
  }

  /** Says that an environment is in use now, so that {@linkcode collect} takes others first. */
  async touch(envHash: string): Promise<void> {
    const now = new Date(this.options.nowMs());
    await Deno.utime(join(this.#home(envHash), "casparian.json"), now, now).catch(() => {});
  }

  /** All ready ones, the longest unused first. */
  async list(): Promise<ListedEnvironment[]> {
    const listed: ListedEnvironment[] = [];
    for (const envHash of await namesIn(this.#dir)) {
      const marker = isHash(envHash) ? await readMarker(this.#home(envHash)) : null;
      if (marker !== null) {
        listed.push({ envHash, bytes: marker.bytes, lastUsedMs: marker.lastUsedMs });
      }
    }
    return listed.toSorted((a, b) => a.lastUsedMs - b.lastUsedMs);
  }

  /**
   * Removes environments, the longest unused first, until the rest takes no more than `bytesMax`.
   * @param inUse Hashes that must stay.
   * @returns The hashes that were removed.
   */
  async collect(bytesMax: number, inUse: ReadonlySet<string>): Promise<string[]> {
    const listed = await this.list();
    let bytes = listed.reduce((sum, environment) => sum + environment.bytes, 0);
    const removed: string[] = [];
    for (const { envHash, bytes: own } of listed) {
      if (bytes <= bytesMax) break;
      if (inUse.has(envHash)) continue;
      await withFreeFileLock(this.#lockPath(envHash), async () => {
        await this.#remove(envHash);
        removed.push(envHash);
        bytes -= own;
      });
    }
    if (removed.length > 0) await this.#clearCache();
    return removed;
  }

  async #clearCache(): Promise<void> {
    const { uv, limitMs } = await this.#buildParts(() => {}, undefined);
    await uv.clearCache({ cwd: this.#dir, limitMs });
  }

  /**
   * Removes what builds of dead processes left; to be called when a worker starts. What can't be removed
   * is in nobody's way, and is tried again by the next start.
   */
  async sweep(onLog: OnLog = () => {}): Promise<void> {
    const building = join(this.#dir, ".building");
    for (const name of await namesIn(building)) {
      const remove = () => Deno.remove(join(building, name), { recursive: true });
      await withFreeFileLock(this.#lockPath(name.split(".")[0] ?? name), remove)
        .catch((error) => onLog(`Could not remove what a dead build left: ${error.message}`));
    }
  }

  /** The marker of an environment that is there and runs; notes that it is used. */
  async #ready(
    envHash: string,
    pythonVersion: string | undefined,
  ): Promise<EnvironmentMarker | null> {
    const marker = await readMarker(this.#home(envHash));
    if (marker === null || !await this.#runs(envHash)) return null;
    if (/^\d+\.\d+$/.test(pythonVersion ?? "") && oldestPython(marker.python) !== pythonVersion) {
      throw new EnvironmentError(
        `Cannot use environment ${envHash} as Python must be ${pythonVersion}: it was made with ` +
          `${marker.python}. Lock the dependencies for Python ${pythonVersion}`,
      );
    }
    await this.touch(envHash);
    return marker;
  }

  async #runs(envHash: string): Promise<boolean> {
    try {
      await describePython(interpreterOf(this.#home(envHash)), this.options.environment);
      return true;
    } catch {
      return false;
    }
  }

  async #build(
    envHash: string,
    lockfileContent: string,
    pythonVersion: string | undefined,
    onLog: OnLog,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const startedMs = this.options.nowMs();
    using log = await this.#openLog(envHash, onLog);
    const aside = await this.#aside(envHash);
    try {
      const parts = await this.#buildParts(log.line, signal);
      await buildEnvironment(aside, lockfileContent, pythonVersion, parts);
      const python = await describePython(interpreterOf(aside), this.options.environment);
      await writeMarker(aside, { envHash, python, builtMs: this.options.nowMs() - startedMs });
      await this.#remove(envHash); // one whose interpreter is gone
      await Deno.rename(aside, this.#home(envHash));
    } catch (error) {
      log.line(error instanceof Error ? error.message : String(error));
      await Deno.remove(aside, { recursive: true }).catch(() => {});
      throw error;
    }
  }

  #prepared(envHash: string, marker: EnvironmentMarker): Omit<PreparedEnvironment, "cached"> {
    const home = this.#home(envHash);
    return { interpreterPath: interpreterOf(home), folders: [home, ...marker.folders] };
  }

  async #buildParts(onLine: OnLog, signal: AbortSignal | undefined): Promise<BuildParts> {
    const { stateDir, environment, limitMs = LIMIT_MS } = this.options;
    const python = await this.hostPython();
    this.#uv ??= forgetting(
      Uv.open(stateDir, python, environment, onLine, signal),
      () => this.#uv = undefined,
    );
    return { uv: await this.#uv, python, onLine, signal, limitMs };
  }

  /** Gone at once for all readers, by a rename; removed after it. The caller holds the lock. */
  async #remove(envHash: string): Promise<void> {
    const aside = await this.#aside(envHash);
    try {
      await Deno.rename(this.#home(envHash), aside);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    await Deno.remove(aside, { recursive: true });
  }

  async #aside(envHash: string): Promise<string> {
    const dir = await madeDir(join(this.#dir, ".building"));
    return await Deno.makeTempDir({ dir, prefix: `${envHash}.` });
  }

  async #openLog(envHash: string, onLog: OnLog) {
    const path = join(await madeDir(join(this.#dir, "logs")), `${envHash}.log`);
    const file = await Deno.open(path, { create: true, write: true, truncate: true });
    const line = (text: string) => {
      file.writeSync(new TextEncoder().encode(`${text}\n`));
      onLog(text);
    };
    return { line, [Symbol.dispose]: () => file.close() };
  }

  #home(envHash: string): string {
    return join(this.#dir, envHash);
  }

  #lockPath(envHash: string): string {
    return join(this.#dir, ".locks", envHash);
  }
}

function checkHash(envHash: string, lockfileContent: string): void {
  const hash = hashOf(lockfileContent);
  if (envHash === hash) return;
  throw new EnvironmentError(
    `Cannot prepare environment ${envHash} as the name must be the lockfile's SHA-256: it is ${hash}. ` +
      "Publish the plugin again",
  );
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function isHash(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}

function interpreterOf(home: string): string {
  return join(home, "bin", "python");
}

async function madeDir(path: string): Promise<string> {
  await Deno.mkdir(path, { recursive: true });
  return path;
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(dir))).map((entry) => entry.name).toSorted();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** A promise to share while it lasts, but not its failure: the next one tries again. */
function forgetting<T>(promise: Promise<T>, forget: () => void): Promise<T> {
  promise.catch(forget);
  return promise;
}
