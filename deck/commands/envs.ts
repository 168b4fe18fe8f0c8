import type { Command } from "commander";
import type { CliIo } from "../../protocol/ports.ts";
import { ago, bytes } from "../terminal/quantities.ts";
import { addClientCommand, type ClientOptions, print, tableLines, withSentinel } from "./client.ts";

export function addEnvs(program: Command, io: CliIo): void {
  addClientCommand(program, "envs", ["envs", "envs --json"])
    .action((options: ClientOptions) =>
      withSentinel(io, options, async (client) => {
        const list = await client.call("envs.list", {});
        print(io, options, list, () => {
          if (list.environments.length === 0) return ["no environments yet"];
          const nowMs = io.nowMs();
          const rows = list.environments.map((environment) => [
            environment.env_hash.slice(0, 12),
            environment.python ?? "-",
            environment.bytes === null ? "-" : bytes(environment.bytes),
            ago(environment.last_used_ms, nowMs),
            environment.plugins.join(" "),
            environment.problem ?? environment.requirements.join(" "),
          ]);
          const titles = ["HASH", "PYTHON", ">SIZE", "USED", "PLUGINS", "REQUIREMENTS"];
          return tableLines(io, titles, rows);
        });
      })
    );
}
