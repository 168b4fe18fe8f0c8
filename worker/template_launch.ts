/** Starts Python templates in the sandbox: each sees its environment, the shim and its data roots. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { FOLDER_DESCRIPTOR, LAUNCHER, launcherArgs } from "./launcher.ts";
import { processEnvironment, type Sandbox, sandboxArgv } from "./sandbox.ts";
import type { Launch } from "./templates.ts";

const SHIM_DIR = dirname(fileURLToPath(new URL("../shim/bridge_shim.py", import.meta.url)));

/**
 * @param stateDir Looks empty to plugins, but for what they need of it: a data root may contain it.
 * @param foldersOf Folders that a process must see to run this interpreter.
 * @param groupsDir Where control groups may be made; memory is sampled without it.
 */
export function sandboxedLaunch(
  sandbox: Sandbox,
  stateDir: string,
  foldersOf: (interpreterPath: string) => readonly string[],
  groupsDir?: string,
): Launch {
  return async (argv, place) => {
    const command = groupsDir === undefined ? argv : [...argv, `--groups=${FOLDER_DESCRIPTOR}`];
    const [program, ...words] = await sandboxArgv(sandbox, command, {
      readOnly: [...foldersOf(place.interpreterPath), SHIM_DIR, ...place.dataRoots],
      hidden: [stateDir],
      socketsDir: place.socketsDir,
      scratchDir: place.scratchDir,
      environment: processEnvironment(place.scratchDir),
    });
    return new Deno.Command(program ?? LAUNCHER, {
      args: launcherArgs(words, groupsDir),
      cwd: place.scratchDir,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  };
}
