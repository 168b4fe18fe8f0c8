import type { Command } from "commander";
import { resolve } from "node:path";
import type { ControlClient } from "../../protocol/control.ts";
import type { CliIo } from "../../protocol/ports.ts";
import { JOBS_AT_ONCE_MAX } from "../../protocol/scheduling_bounds.ts";
import { ago, count } from "../terminal/quantities.ts";
import {
  addCommand,
  type ClientOptions,
  print,
  tableLines,
  wholeNumber,
  withClientOptions,
  withSentinel,
  wordOrNumber,
} from "./client.ts";

interface AddOptions extends ClientOptions {
  readonly name?: string;
  readonly settle: number;
  readonly poll: number;
}

const DAY_MS = 24 * 3600 * 1000;

export function addRoots(program: Command, io: CliIo): void {
  const roots = addCommand(program, "roots", [
    "roots",
    "roots add /mnt/share/incoming --name incoming",
    "roots limit incoming 4",
    "roots rm incoming",
  ]);
  withClientOptions(roots.command("list", { isDefault: true }))
    .description("List the folders that are watched")
    .action((options: ClientOptions) =>
      withSentinel(io, options, (client) => listRoots(client, io, options))
    );
  withClientOptions(roots.command("add"))
    .description("Watch a folder")
    .argument("<dir>")
    .option("--name <name>", "what it is called; by default as the folder")
    .option("--settle <ms>", "how long a file must have been still", wholeNumber(0, DAY_MS), 2000)
    .option("--poll <ms>", "how often to look", wholeNumber(100, DAY_MS), 10_000)
    .action((dir: string, options: AddOptions) =>
      withSentinel(io, options, async (client) => {
        const { name, settle, poll } = options;
        await client.call("roots.add", {
          directory: resolve(io.cwd, dir),
          settle_ms: settle,
          poll_ms: poll,
          ...name === undefined ? {} : { name },
        });
        await listRoots(client, io, options);
      })
    );
  addRootLimit(roots, io);
  withClientOptions(roots.command("rm"))
    .description("Watch a folder no longer; what landed from it stays")
    .argument("<name>")
    .action((name: string, options: ClientOptions) =>
      withSentinel(io, options, async (client) => {
        await client.call("roots.remove", { name });
        await listRoots(client, io, options);
      })
    );
}

function addRootLimit(roots: Command, io: CliIo): void {
  withClientOptions(roots.command("limit"))
    .description("Set how many jobs may read a folder's files at the same time")
    .argument("<name>")
    .argument("<jobs>", "so many at most, or none", wordOrNumber("none", 1, JOBS_AT_ONCE_MAX))
    .action((name: string, jobs: number | null, options: ClientOptions) =>
      withSentinel(io, options, async (client) => {
        await client.call("roots.limit", { name, jobs_max: jobs });
        await listRoots(client, io, options);
      })
    );
}

async function listRoots(client: ControlClient, io: CliIo, options: ClientOptions): Promise<void> {
  const list = await client.call("roots.list", {});
  print(io, options, list, () => {
    if (list.roots.length === 0) return ["no roots: casparian roots add DIR"];
    const nowMs = io.nowMs();
    const rows = list.roots.map((root) => [
      root.name,
      count(root.files),
      count(root.problems),
      root.jobs_max === null ? "-" : count(root.jobs_max),
      ago(root.last_scan_ms, nowMs),
      root.directory,
      root.problem ?? "",
    ]);
    return tableLines(io, ["NAME", ">FILES", ">PROBLEMS", ">LIMIT", "SCANNED", "FOLDER", ""], rows);
  });
}
