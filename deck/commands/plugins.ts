import type { Command } from "commander";
import type { CliIo } from "../../protocol/ports.ts";
import type { Plugin } from "../../protocol/records.ts";
import { count } from "../terminal/quantities.ts";
import { addClientCommand, type ClientOptions, print, tableLines, withSentinel } from "./client.ts";

export function addPlugins(program: Command, io: CliIo): void {
  addClientCommand(program, "plugins", ["plugins", "plugins --all --json"])
    .option("--all", "older and rejected versions as well")
    .action((options: ClientOptions & { all?: boolean }) =>
      withSentinel(io, options, async (client) => {
        const list = await client.call("plugins.list", { all_versions: options.all ?? false });
        print(io, options, list, () => pluginLines(list.plugins, io));
      })
    );
}

function pluginLines(plugins: readonly Plugin[], io: CliIo): string[] {
  if (plugins.length === 0) return ["no plugins: casparian publish my_plugin.py"];
  const rows = plugins.map((plugin) => [
    plugin.name,
    plugin.version,
    plugin.paused === null ? plugin.status : "PAUSED",
    count(plugin.jobs.COMPLETED),
    count(plugin.jobs.FAILED),
    plugin.pattern.join(" "),
    plugin.topics.join(" "),
    plugin.paused ?? plugin.reason ?? "",
  ]);
  const titles = ["NAME", "VERSION", "STATUS", ">DONE", ">FAILED", "PATTERN", "TOPICS", ""];
  return tableLines(io, titles, rows);
}
