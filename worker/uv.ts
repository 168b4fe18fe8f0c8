import { join } from "node:path";
import { EnvironmentError } from "./environment_error.ts";
import { withFileLock } from "./file_lock.ts";
import type { HostPython } from "./host_python.ts";
import { findProgram, type LaunchResult, type ProcessEnvironment, runToEnd } from "./launcher.ts";
import { packageIndexVariables } from "./package_index.ts";

/** What is installed where no uv is found. */
export const UV_VERSION = "0.13.9";
/** Older ones lack `export --script` or `venv --relocatable`: they are passed over. */
const UV_VERSION_MIN = [0, 7] as const;

const BOOTSTRAP_LIMIT_MS = 5 * 60_000;

export interface UvRunOptions {
  readonly cwd: string;
  readonly stdin?: string;
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  readonly limitMs: number;
}

/** uv, with everything that it is to see of the host. */
export class Uv {
  private constructor(
    readonly path: string,
    private readonly environment: ProcessEnvironment,
    private readonly ownsCache: boolean,
  ) {}

  /**
   * Takes `CASPARIAN_UV`, else uv on the PATH, else the one in the state folder, which is installed
   * there with pip first if need be.
   * @throws {EnvironmentError} If there is none and none can be installed.
   */
  static async open(
    stateDir: string,
    python: HostPython,
    environment: ProcessEnvironment,
    onLine: (line: string) => void = () => {},
    signal?: AbortSignal,
  ): Promise<Uv> {
    const path = await usable(environment.CASPARIAN_UV ?? await findProgram("uv"), environment) ??
      await bootstrap(stateDir, python, environment, onLine, signal);
    const index = await packageIndexVariables(python.path, environment);
    const ownsCache = environment.UV_CACHE_DIR === undefined;
    return new Uv(path, { ...defaults(stateDir), ...index, ...environment, ...PLAIN }, ownsCache);
  }

  /** Runs a uv command to its end; failing is the caller's to judge by the result. */
  async run(args: readonly string[], options: UvRunOptions): Promise<LaunchResult> {
    // Pip takes this from its environment and uv does not: a site with wheels in a folder would wait for
    // an index that is not there.
    const noIndex = args[0] === "pip" && this.environment.UV_NO_INDEX ? ["--no-index"] : [];
    const argv = [this.path, ...args, ...noIndex];
    return await runToEnd(argv, { environment: this.environment, ...options });
  }

  /** Frees what a removed environment shared with the cache, unless the cache is the user's own. */
  async clearCache(options: UvRunOptions): Promise<void> {
    if (this.ownsCache) await this.run(["cache", "clean", "-q"], options);
  }
}

function defaults(stateDir: string): Record<string, string> {
  return {
    UV_CACHE_DIR: join(stateDir, "cache", "uv"),
    // 270 MB of pandas and pyarrow are linked in 30 ms and copied in 1.7 s. Plugins see their
    // environment read-only, so none can write through a link into the cache.
    UV_LINK_MODE: "hardlink",
    UV_PYTHON_INSTALL_DIR: join(stateDir, "tools", "python"),
    UV_PYTHON_PREFERENCE: "system", // a download only where the host has no Python that fits
  };
}

/** Output as whole sentences, one a line: it is kept as a log and quoted in errors. */
const PLAIN = { NO_COLOR: "1", UV_NO_PROGRESS: "1", UV_NO_WRAP: "1" };

async function usable(
  path: string | null,
  environment: ProcessEnvironment,
): Promise<string | null> {
  if (path === null) return null;
  const asked = await runToEnd([path, "--version"], { environment, limitMs: 10_000 });
  const [major = 0, minor = 0] = /\d+\.\d+/.exec(asked.stdout)?.[0].split(".").map(Number) ?? [];
  const [majorMin, minorMin] = UV_VERSION_MIN;
  return major > majorMin || (major === majorMin && minor >= minorMin) ? path : null;
}

/** Installs uv aside and shows it by one rename, once even where several processes ask at a time. */
async function bootstrap(
  stateDir: string,
  python: HostPython,
  environment: ProcessEnvironment,
  onLine: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<string> {
  const tools = join(stateDir, "tools");
  const home = join(tools, `uv-${UV_VERSION}`);
  const path = join(home, "bin", "uv");
  return await withFileLock(join(tools, "uv.lock"), async () => {
    if (await exists(path)) return path;
    onLine(`Installing uv ${UV_VERSION} into ${home}`);
    const aside = `${home}.building`;
    await fetchUv(aside, python, environment, onLine, signal);
    await Deno.rename(aside, home);
    return path;
  }, { signal });
}

/**
 * Installs uv into a folder of its own, in place of what is there; it is `bin/uv` in it.
 * @throws {EnvironmentError} If it cannot be had.
 */
export async function fetchUv(
  target: string,
  python: HostPython,
  environment: ProcessEnvironment,
  onLine: (line: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  await Deno.remove(target, { recursive: true }).catch(() => {});
  const quiet = { ...environment, PIP_ROOT_USER_ACTION: "ignore" };
  const run = (argv: string[]) =>
    runToEnd(argv, { environment: quiet, onLine, signal, limitMs: BOOTSTRAP_LIMIT_MS });
  await installUv(python.path, target, run);
}

type Run = (argv: string[]) => Promise<LaunchResult>;

/** With the host's pip, or where that was split off, with that of a virtual environment. */
async function installUv(python: string, target: string, run: Run): Promise<void> {
  if ((await run([python, "-m", "pip", "--version"])).success) {
    return check(await run(pipInstall(python, target)));
  }
  const venv = `${target}.venv`;
  await Deno.remove(venv, { recursive: true }).catch(() => {});
  const made = await run([python, "-m", "venv", venv]);
  if (!made.success) {
    throw new EnvironmentError(
      `Cannot install uv as ${python} must have pip or venv: it has neither. Install uv, or your ` +
        `system's packages python3-pip or python3-venv`,
    );
  }
  check(await run(pipInstall(join(venv, "bin", "python"), target)));
  await Deno.remove(venv, { recursive: true });
}

function pipInstall(python: string, target: string): string[] {
  const options = ["--no-deps", "--only-binary", ":all:", "--no-compile", "--target", target];
  return [python, "-m", "pip", "--no-input", "install", "-q", ...options, `uv==${UV_VERSION}`];
}

function check(installed: LaunchResult): void {
  if (installed.success) return;
  const said = installed.stderr.trim().split("\n").slice(-3).join("\n");
  throw new EnvironmentError(
    `Cannot install uv ${UV_VERSION} as pip must reach a package index: ${said}\n` +
      "Check the network and pip's settings (pip config list), or install uv and put it on the PATH",
  );
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
