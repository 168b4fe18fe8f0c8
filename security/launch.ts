/** How a program is started: the Deno that runs us, its exact permissions, casparian.ts, its arguments. */
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { zeromqAddonCandidates } from "../protocol/zeromq_library.ts";
import { permissionFlags, type Program, STATE_DIR } from "./permissions.ts";
import { readProgramOptions } from "./program_options.ts";

/** First argument of a casparian.ts that has its permissions already. */
export const IN_PLACE = "--in-place";

/** A supervisor mostly waits: it saves 5 MB of 35 at no cost that could be measured. */
const SMALL_HEAP = "--v8-flags=--max-semi-space-size=1,--optimize-for-size";

const CASPARIAN = fileURLToPath(new URL("../casparian.ts", import.meta.url));
const PROJECT = dirname(CASPARIAN);

/**
 * Arguments of `Deno.execPath()` that start a program.
 * @param args What follows the program's name on its command line.
 * @param cwd Where relative paths in `args` are meant from.
 */
export function launchArguments(program: Program, args: readonly string[], cwd: string): string[] {
  const state = resolve(cwd, readProgramOptions(args).one("state") ?? STATE_DIR);
  const runDir = newRunDir(state, "run", crypto.randomUUID().slice(0, 8));
  const allArgs = [...placeArguments(program, args, runDir), ...args];
  const flags = permissionFlags(program, allArgs, {
    project: PROJECT,
    cwd,
    deno: Deno.execPath(),
    addons: zeromqAddonCandidates(),
    runDir,
    to: program === "install" ? userPrograms(cwd) : join(PROJECT, "dist"),
    storedRoots: program === "sentinel" ? readStoredRoots(state) : [],
  });
  const config = `--config=${join(PROJECT, "deno.json")}`;
  const memory = program === "start" ? [SMALL_HEAP] : [];
  return ["run", "--quiet", ...memory, config, ...flags, CASPARIAN, IN_PLACE, program, ...allArgs];
}

/**
 * The flags of `deno compile` for a worker, and the arguments that it is always to have.
 * @param workerArgs Paths in them are absolute.
 */
export function compiledFlags(workerArgs: readonly string[]): { flags: string[]; args: string[] } {
  const state = readProgramOptions(workerArgs).one("state");
  // The same for each start, so only one can be up at a time; nobody else sweeps there.
  const runDir = state === undefined ? "" : newRunDir(state, "compiled", "run");
  const args = [...workerArgs, ...state === undefined ? [] : ["--run-dir", runDir]];
  const place = {
    project: PROJECT,
    cwd: "/",
    deno: "",
    addons: [],
    runDir,
    to: "",
    storedRoots: [],
  };
  return { flags: permissionFlags("compiled", args, place), args };
}

function userPrograms(cwd: string): string {
  return join(Deno.env.get("HOME") ?? cwd, ".local", "bin");
}

/** Arguments that only we can give, as their paths must be known when permissions are. */
function placeArguments(program: Program, args: readonly string[], runDir: string): string[] {
  if (program === "worker" || program === "run") return ["--run-dir", runDir];
  const listens = readProgramOptions(args).one("listen") !== undefined;
  if (program !== "sentinel" || listens || !runDir.startsWith(TEMPORARY)) return [];
  return ["--listen", `ipc://${runDir}/control.sock`];
}

/** Linux gives a socket's path 108 bytes, a Mac 104; `/run/01234567/t63/s/b.sock` follows. */
const STATE_BYTES_MAX = 64;
const TEMPORARY = "/tmp/casparian-";

/** For the sockets of one start, below the state where its path is short enough. */
function newRunDir(state: string, folder: string, name: string): string {
  const fits = new TextEncoder().encode(state).length <= STATE_BYTES_MAX && !state.includes(",");
  return fits ? join(state, folder, name) : `${TEMPORARY}${name}`;
}

/** What a sentinel says of its store, which only it can read: see Roots in sentinel/. */
function readStoredRoots(state: string): string[] {
  try {
    const roots: unknown = JSON.parse(Deno.readTextFileSync(join(state, "roots.json")));
    if (!Array.isArray(roots)) return [];
    return roots.flatMap(({ directory }) => typeof directory === "string" ? [directory] : []);
  } catch {
    return []; // none yet, or half of one: the sentinel then says which flag it lacks
  }
}
