/** What `start` was told, as the arguments of its two programs; all paths absolute. */
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { sqlitePath } from "../../protocol/database_url.ts";
import { CliError } from "../../protocol/exit_codes.ts";
import { rootDirectory } from "../../security/permissions.ts";
import { rulesOf } from "../commands/root_options.ts";
import type { StartOptions } from "./start_command.ts";

const DEMO = fileURLToPath(new URL("../../demo", import.meta.url));

const DEMO_DATA = join(DEMO, "data");

export interface StartPlan {
  readonly state: string;
  readonly output: string;
  /** Named as they were given. */
  readonly roots: readonly string[];
  readonly plugins: readonly string[];
  /** @param again Where an earlier one listened: one that is started again must be found there. */
  sentinelArgs(again?: string): string[];
  workerArgs(address: string): string[];
}

/** @throws {CliError} If a root is no folder or a plugin no file: better now than in a log later. */
export async function planStart(options: StartOptions, cwd: string): Promise<StartPlan> {
  const state = resolve(cwd, options.state);
  const output = resolve(cwd, options.output ?? join(state, "output"));
  const roots = [
    ...(options.root ?? []).map((root) => absoluteRoot(root, cwd)),
    ...options.demo ? [`demo=${DEMO_DATA}`] : [],
  ];
  const plugins = [
    ...(options.plugin ?? []).map((file) => resolve(cwd, file)),
    ...options.demo ? await demoPlugins() : [],
  ];
  for (const root of roots) await mustBe("folder", rootDirectory(root));
  for (const plugin of plugins) await mustBe("file", plugin);
  const database = options.database === undefined
    ? []
    : ["--database", `sqlite://${resolve(cwd, sqlitePath(options.database))}`];
  const consent = [
    ...options.insecureTcp ? ["--insecure-tcp"] : [],
    ...options.yesReally ? ["--yes-really"] : [],
  ];
  const rules = rootRules(options, cwd);
  return {
    state,
    output,
    roots,
    plugins,
    sentinelArgs(again) {
      const address = again ?? options.listen;
      return [
        ...["--state", state, "--output", output, ...database, ...consent],
        ...address === undefined ? [] : ["--listen", address],
        ...roots.flatMap((root) => ["--root", root]),
        // Only at first: what a person has set since then counts more.
        ...rules === null || again !== undefined ? [] : ["--root-rules", rules],
      ];
    },
    workerArgs: (address) => [
      ...["--connect", address, "--state", state, "--output", output, ...consent],
      ...options.slots === undefined ? [] : ["--slots", `${options.slots}`],
      ...(options.map ?? []).flatMap((map) => ["--map", absoluteRoot(map, cwd)]),
    ],
  };
}

/** What was said of the roots, by folder, as JSON; null if nothing was. */
function rootRules(options: StartOptions, cwd: string): string | null {
  const given = rulesOf(options);
  const isGiven = Object.keys(given).length > 0;
  const folders = (options.root ?? []).map((root) => resolve(cwd, rootDirectory(root)));
  const rules = {
    ...Object.fromEntries(isGiven ? folders.map((folder) => [folder, given]) : []),
    // One of the demo's files is cut off on purpose, and nobody will go on with it.
    ...options.demo ? { [DEMO_DATA]: { patience_ms: 0 } } : {},
  };
  return Object.keys(rules).length === 0 ? null : JSON.stringify(rules);
}

function absoluteRoot(root: string, cwd: string): string {
  const directory = rootDirectory(root);
  const name = root.slice(0, root.length - directory.length);
  return name + resolve(cwd, directory);
}

async function demoPlugins(): Promise<string[]> {
  const folder = join(DEMO, "plugins");
  const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  return names.filter((name) => name.endsWith(".py")).toSorted().map((name) => join(folder, name));
}

async function mustBe(kind: "folder" | "file", path: string): Promise<void> {
  const info = await Deno.stat(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return null;
    throw new CliError(`Cannot start as ${path} cannot be read: ${error.message}`);
  });
  if (kind === "folder" ? info?.isDirectory : info?.isFile) return;
  const option = kind === "folder" ? "--root" : "--plugin";
  throw new CliError(
    `Cannot start as what ${option} names must be a ${kind}: ${path} ` +
      (info === null ? "does not exist" : "is none"),
  );
}
