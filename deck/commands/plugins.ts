import type { Command } from "commander";
import type { ControlClient, Params } from "../../protocol/control.ts";
import { UsageError } from "../../protocol/exit_codes.ts";
import type { CliIo } from "../../protocol/ports.ts";
import type { Plugin } from "../../protocol/records.ts";
import { JOBS_AT_ONCE_MAX, PAUSE_AFTER_MAX, WEIGHT_MAX } from "../../protocol/scheduling_bounds.ts";
import { count } from "../terminal/quantities.ts";
import {
  addCommand,
  type ClientOptions,
  print,
  tableLines,
  withClientOptions,
  withSentinel,
  wordOrNumber,
} from "./client.ts";

interface SetOptions extends ClientOptions {
  readonly weight?: number | null;
  readonly limit?: number | null;
  readonly pauseAfter?: number | null;
}

/** null is what the word stands for: as MANIFEST or the default has it. */
const weight = wordOrNumber("default", 1, WEIGHT_MAX);
const pauseAfter = wordOrNumber("default", 0, PAUSE_AFTER_MAX);
const limit = wordOrNumber("none", 1, JOBS_AT_ONCE_MAX);

export function addPlugins(program: Command, io: CliIo): void {
  const plugins = addCommand(program, "plugins", [
    "plugins --all",
    "plugins resume sales_csv",
    `plugins pause sales_csv --reason "the share is being moved"`,
    "plugins set sales_csv --weight 3 --limit 4 --pause-after 20",
  ]);
  withClientOptions(plugins.command("list", { isDefault: true }))
    .description("List the plugins")
    .option("--all", "older and rejected versions as well")
    .action((options: ClientOptions & { all?: boolean }) =>
      withSentinel(io, options, (client) => listPlugins(client, io, options))
    );
  addPauseAndResume(plugins, io);
  withClientOptions(plugins.command("set"))
    .description("Set a plugin's share and limits, for all its versions")
    .argument("<name>")
    .option("--weight <number>", `its share beside others, 1 to ${WEIGHT_MAX}, or default`, weight)
    .option("--limit <number>", "jobs of it at the same time, or none", limit)
    .option(
      "--pause-after <number>",
      "failures in a row that pause it, 0 for never, or default",
      pauseAfter,
    )
    .action((name: string, options: SetOptions) => {
      const settings = settingsOf(options);
      return withSentinel(io, options, async (client) => {
        await client.call("plugins.set", { plugin: name, ...settings });
        await listPlugins(client, io, options);
      });
    });
}

function addPauseAndResume(plugins: Command, io: CliIo): void {
  withClientOptions(plugins.command("pause"))
    .description("Begin no more jobs of a plugin; what runs goes on")
    .argument("<name>")
    .option("--reason <text>", "what others should know", "an operator asked for it")
    .action((name: string, options: ClientOptions & { reason: string }) =>
      withSentinel(io, options, async (client) => {
        await client.call("plugins.pause", { plugin: name, reason: options.reason });
        await listPlugins(client, io, options);
      })
    );
  withClientOptions(plugins.command("resume"))
    .description("Let a paused plugin go on, with no failures counted")
    .argument("<name>")
    .action((name: string, options: ClientOptions) =>
      withSentinel(io, options, async (client) => {
        await client.call("plugins.pause", { plugin: name, reason: null });
        await listPlugins(client, io, options);
      })
    );
}

function settingsOf(options: SetOptions): Omit<Params<"plugins.set">, "plugin"> {
  const { weight, limit, pauseAfter } = options;
  const settings = {
    ...weight === undefined ? {} : { weight },
    ...limit === undefined ? {} : { jobs_max: limit },
    ...pauseAfter === undefined ? {} : { pause_after: pauseAfter },
  };
  if (Object.keys(settings).length > 0) return settings;
  throw new UsageError(
    "Cannot set nothing: give --weight, --limit or --pause-after, see --help",
  );
}

async function listPlugins(
  client: ControlClient,
  io: CliIo,
  options: ClientOptions & { all?: boolean },
): Promise<void> {
  const list = await client.call("plugins.list", { all_versions: options.all ?? false });
  print(io, options, list, () => pluginLines(list.plugins, io));
}

function pluginLines(plugins: readonly Plugin[], io: CliIo): string[] {
  if (plugins.length === 0) return ["no plugins: casparian publish my_plugin.py"];
  const rows = plugins.map((plugin) => [
    plugin.name,
    plugin.version,
    plugin.paused === null ? plugin.status : "PAUSED",
    count(plugin.jobs.COMPLETED),
    count(plugin.jobs.FAILED),
    count(plugin.jobs.QUEUED),
    `${plugin.weight}`,
    plugin.jobs_max === null ? "-" : count(plugin.jobs_max),
    plugin.pattern.join(" "),
    plugin.topics.join(" "),
    plugin.paused ?? plugin.reason ?? "",
  ]);
  const titles = ["NAME", "VERSION", "STATUS", ">DONE", ">FAILED", ">QUEUED", ">WEIGHT", ">LIMIT"];
  return tableLines(io, [...titles, "PATTERN", "TOPICS", ""], rows);
}
