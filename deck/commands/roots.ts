import type { Command } from "commander";
import { resolve } from "node:path";
import type { ControlClient, Result } from "../../protocol/control.ts";
import { UsageError } from "../../protocol/exit_codes.ts";
import type { CliIo } from "../../protocol/ports.ts";
import { PARTIAL_BUILT_IN } from "../../protocol/records.ts";
import { JOBS_AT_ONCE_MAX } from "../../protocol/scheduling_bounds.ts";
import { printable } from "../terminal/printable.ts";
import { ago, count, duration } from "../terminal/quantities.ts";
import {
  addCommand,
  type ClientOptions,
  print,
  tableLines,
  withClientOptions,
  withSentinel,
  wordOrNumber,
} from "./client.ts";
import { type RootOptions, rulesOf, withRootOptions } from "./root_options.ts";

type SetOptions = ClientOptions & RootOptions;
type AddOptions = SetOptions & { readonly name?: string };
type Root = Result<"roots.list">["roots"][number];

export function addRoots(program: Command, io: CliIo): void {
  const roots = addCommand(program, "roots", [
    "roots",
    "roots add /mnt/share/incoming --name incoming --marker '*.done'",
    "roots set incoming --settle 10000 --ignore '*.bak' --ignore 'archive/**'",
    "roots limit incoming 4",
    "roots rm incoming",
  ]);
  withClientOptions(roots.command("list", { isDefault: true }))
    .description("List the folders that are watched")
    .action((options: ClientOptions) =>
      withSentinel(io, options, (client) => listRoots(client, io, options))
    );
  withRootOptions(withClientOptions(roots.command("add")))
    .description("Watch a folder; a name that is known moves it, and keeps its rules")
    .argument("<dir>")
    .option("--name <name>", "what it is called; by default as the folder")
    .action((dir: string, options: AddOptions) =>
      withSentinel(io, options, async (client) => {
        const name = options.name === undefined ? {} : { name: options.name };
        const directory = resolve(io.cwd, dir);
        await client.call("roots.add", { ...name, directory, ...rulesOf(options) });
        await listRoots(client, io, options);
      })
    );
  withRootOptions(withClientOptions(roots.command("set")))
    .description("Change how files arrive in it; what is not given stays as it is")
    .argument("<name>")
    .action((name: string, options: SetOptions) =>
      withSentinel(io, options, async (client) => {
        const rules = rulesOf(options);
        if (Object.keys(rules).length === 0) {
          throw new UsageError("Cannot change a root without what to change: see roots set --help");
        }
        await client.call("roots.set", { name, ...rules });
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
      count(root.arriving),
      count(root.problems),
      root.jobs_max === null ? "-" : count(root.jobs_max),
      ago(root.last_scan_ms, nowMs),
      root.directory,
      rulesText(root),
    ]);
    const numbers = [">FILES", ">ARRIVING", ">PROBLEMS", ">LIMIT"];
    const titles = ["NAME", ...numbers, "SCANNED", "FOLDER", "RULES"];
    return [...tableLines(io, titles, rows), ...list.roots.flatMap(remarks)];
  });
}

/** Times always, all else where it is not as usual. */
function rulesText(root: Root): string {
  const { settle_ms, patience_ms, poll_ms, marker, partial, ignore } = root;
  const isUsual = partial.length === 1 && partial[0] === PARTIAL_BUILT_IN;
  return [
    `settle ${duration(settle_ms)}`,
    `patience ${duration(patience_ms)}`,
    `${pollsOnly(root) ? "only polled" : "polled"} every ${duration(poll_ms)}`,
    ...marker === null ? [] : [`marker ${marker}`],
    ...isUsual ? [] : [`partial ${partial.join(" ") || "none"}`],
    ...ignore.length === 0 ? [] : [`ignores ${ignore.join(" ")}`],
  ].join(", ");
}

function pollsOnly({ poll_only, file_system }: Root): boolean {
  return poll_only ?? file_system !== null;
}

function remarks(root: Root): string[] {
  const { name, problem, file_system } = root;
  const at = printable(name);
  if (problem !== null) return [`${at}: ${printable(problem)}`];
  if (file_system === null) return [];
  return pollsOnly(root) ? [`${at}: it lies on ${file_system}, so it is only polled`] : [
    `${at}: it lies on ${file_system}, where changes by other hosts give no events and times are theirs: ` +
    `casparian roots set ${at} --poll-only auto`,
  ];
}
