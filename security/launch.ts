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
  const runDir = newRunDir(state);
  const allArgs = [...placeArguments(program, args, runDir), ...args];
  const flags = permissionFlags(program, allArgs, {
    project: PROJECT,
    cwd,
    deno: Deno.execPath(),
    addons: zeromqAddonCandidates(),
    runDir,
    bin: program === "install" ? userPrograms(cwd) : "",
    storedRoots: program === "sentinel" ? readStoredRoots(state) : [],
  });
  const config = `--config=${join(PROJECT, "deno.json")}`;
  const memory = program === "start" ? [SMALL_HEAP] : [];
  return ["run", "--quiet", ...memory, config, ...flags, CASPARIAN, IN_PLACE, program, ...allArgs];
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

/** For the sockets of this start only, below the state where its path is short enough. */
function newRunDir(state: string): string {
  const name = crypto.randomUUID().slice(0, 8);
  const fits = new TextEncoder().encode(state).length <= STATE_BYTES_MAX && !state.includes(",");
  return fits ? join(state, "run", name) : `${TEMPORARY}${name}`;
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
