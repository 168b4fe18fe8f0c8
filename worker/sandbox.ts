import { dirname, isAbsolute } from "node:path";
import { environmentWords, LAUNCHER, launchToEnd, type ProcessEnvironment } from "./launcher.ts";

/**
 * What keeps a plugin's process apart from the host, in two layers. The first is made here, around a
 * whole template: namespaces without network and a file tree that holds only what is listed. The
 * second, Landlock and seccomp, is each child's own affair (shim/), as it narrows with every job.
 */
export interface Sandbox {
  /** A: both layers; B: one of the two; C: resource limits only. */
  readonly grade: "A" | "B" | "C";
  readonly way: "bwrap" | "unshare" | "none";
  readonly layers: { readonly namespaces: boolean; readonly landlock: boolean };
  /** Why each missing layer is missing, for people. */
  readonly missing: readonly string[];
}

/** All that a process in the sandbox gets to see. Paths are absolute and exist; links are followed. */
export interface SandboxView {
  /** Interpreter, environment, shim and data roots. */
  readonly readOnly: readonly string[];
  readonly writable?: readonly string[];
  /** Folders that look empty though they lie below a visible one: the state's secrets in a data root. */
  readonly hidden?: readonly string[];
  /** Where the worker's Unix sockets are. */
  readonly socketsDir: string;
  /** The process's own folder: its working folder, its home, its temporary files. */
  readonly scratchDir: string;
  readonly environment: ProcessEnvironment;
}

const PROBE_LIMIT_MS = 5_000;

/** Tries once, for real, which layers this host gives. */
export async function probeSandbox(): Promise<Sandbox> {
  const missing: string[] = [];
  for (const way of ["bwrap", "unshare"] as const) {
    const failure = await tryNamespaces(way);
    if (failure === null) return graded(way, []);
    missing.push(`${way}: ${failure}`);
  }
  return graded("none", missing);
}

function graded(way: Sandbox["way"], missing: string[]): Sandbox {
  const layers = { namespaces: way !== "none", landlock: false };
  const count = Number(layers.namespaces) + Number(layers.landlock);
  return {
    grade: count === 2 ? "A" : count === 1 ? "B" : "C",
    way,
    layers,
    missing: [...missing, "Landlock and seccomp: not applied by this version"],
  };
}

/** @returns Why it does not work, or `null` if it does. */
async function tryNamespaces(way: "bwrap" | "unshare"): Promise<string | null> {
  if (Deno.build.os !== "linux") return `needs Linux: this is ${Deno.build.os}`;
  const words = ["sandbox", way, "--", "PATH=/usr/bin:/bin", "true"];
  try {
    const tried = await launchToEnd(words, { limitMs: PROBE_LIMIT_MS });
    if (tried.success) return null;
    return tried.stderr.trim().split("\n")[0] || `ended with code ${tried.code}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What every plugin's process sees of the environment, beside the BRIDGE_ variables. */
export function processEnvironment(scratchDir: string): Record<string, string> {
  return {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    HOME: scratchDir,
    TMPDIR: scratchDir,
    LANG: "C.UTF-8",
    LC_ALL: "C.UTF-8",
    // One thread each: as many children run side by side as the worker has slots.
    OMP_NUM_THREADS: "1",
    OPENBLAS_NUM_THREADS: "1",
    MKL_NUM_THREADS: "1",
    PYTHONHASHSEED: "0", // the same input gives the same rows, also where a plugin iterates a set
    PYTHONDONTWRITEBYTECODE: "1",
    PYTHONNOUSERSITE: "1",
    PYTHONUNBUFFERED: "1",
  };
}

/**
 * What to launch so that `argv` runs in the sandbox, with `view` and no more. Without namespaces
 * (grade C) only the environment is scrubbed, and the caller's `cwd` is where it runs.
 * @returns The launcher and its arguments.
 */
export async function sandboxArgv(
  sandbox: Pick<Sandbox, "way">,
  argv: readonly string[],
  view: SandboxView,
): Promise<string[]> {
  const command = [...environmentWords(view.environment), ...argv];
  if (sandbox.way === "none") return [LAUNCHER, "run", ...command];
  const words = layOut(await resolve(view), await Deno.realPath(view.scratchDir));
  return [LAUNCHER, "sandbox", sandbox.way, ...words, "--", ...command];
}

type Kind = "ro" | "rw" | "hide";

/** A path as it was given, and where it really is. */
export interface ResolvedPath {
  readonly kind: Kind;
  readonly path: string;
  readonly real: string;
}

async function resolve(view: SandboxView): Promise<ResolvedPath[]> {
  const listed: [Kind, readonly string[]][] = [
    ["ro", view.readOnly],
    ["hide", view.hidden ?? []],
    ["rw", [...view.writable ?? [], view.socketsDir, view.scratchDir]],
  ];
  return await Promise.all(
    listed.flatMap(([kind, paths]) => paths.map((path) => resolveOne(kind, path))),
  );
}

async function resolveOne(kind: Kind, path: string): Promise<ResolvedPath> {
  if (!isAbsolute(path)) {
    throw new TypeError(`Cannot show a path in the sandbox as it must be absolute: got ${path}`);
  }
  return { kind, path, real: await Deno.realPath(path) };
}

/** What the launcher shows in any case. */
const SYSTEM_DIRS = ["/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/usr"];

/**
 * The launcher's words for a view. Each folder is mounted once, where it really is, so that none is
 * hidden or read-only by one name and not by another; a path given through a symbolic link becomes
 * that link. Parents come before what lies below them, and what a parent shows already is left out.
 */
export function layOut(paths: readonly ResolvedPath[], cwd: string): string[] {
  const kinds = new Map(paths.map(({ real, kind }): [string, Kind] => [real, kind]));
  const shown = new Map<string, Kind>(SYSTEM_DIRS.map((dir) => [dir, "ro"]));
  const words: string[] = [];
  for (const [path, kind] of [...kinds].toSorted(byPath)) {
    const around = nearestKind(shown, path);
    if (around === kind || (kind === "hide" && around === undefined)) continue;
    shown.set(path, kind);
    words.push(kind, path);
  }
  for (const { path, real } of paths.toSorted((a, b) => a.path < b.path ? -1 : 1)) {
    const inVisible = (nearestKind(shown, path) ?? "hide") !== "hide";
    if (path === real || shown.has(path) || inVisible) continue;
    shown.set(path, "ro");
    words.push("link", path, real);
  }
  return [...words, "cd", cwd];
}

function byPath([a]: [string, Kind], [b]: [string, Kind]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** How the closest folder above `path` is shown; `undefined` if none is. */
function nearestKind(shown: ReadonlyMap<string, Kind>, path: string): Kind | undefined {
  for (let dir = path; dir !== dirname(dir);) {
    dir = dirname(dir);
    const kind = shown.get(dir);
    if (kind !== undefined) return kind;
  }
  return undefined;
}
