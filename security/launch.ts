/** How a program is started: the Deno that runs us, its exact permissions, casparian.ts, its arguments. */
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { zeromqAddonCandidates } from "../protocol/zeromq_library.ts";
import { permissionFlags, type Program, STATE_DIR } from "./permissions.ts";
import { readProgramOptions } from "./program_options.ts";

/** First argument of a casparian.ts that has its permissions already. */
export const IN_PLACE = "--in-place";

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
  const place = {
    project: PROJECT,
    cwd,
    deno: Deno.execPath(),
    addons: zeromqAddonCandidates(),
    runDir,
    bin: join(Deno.env.get("HOME") ?? cwd, ".local", "bin"),
  };
  const listens = program === "worker" || program === "run";
  return [
    "run",
    "--quiet",
    `--config=${join(PROJECT, "deno.json")}`,
    ...permissionFlags(program, args, place),
    CASPARIAN,
    IN_PLACE,
    program,
    ...listens ? ["--run-dir", runDir] : [],
    ...args,
  ];
}

/** Linux gives a socket's path 108 bytes, a Mac 104; `/t63/s/b.sock` follows. */
const RUN_DIR_BYTES_MAX = 86;

/** Of this start only, below the state where its path is short enough. */
function newRunDir(state: string): string {
  const name = crypto.randomUUID().slice(0, 8);
  const inState = join(state, "run", name);
  const bytes = new TextEncoder().encode(inState).length;
  return bytes <= RUN_DIR_BYTES_MAX && !inState.includes(",") ? inState : `/tmp/casparian-${name}`;
}
