import type { Command } from "commander";
import type { CliIo } from "../../protocol/ports.ts";
import { ago } from "../terminal/quantities.ts";
import { addClientCommand, type ClientOptions, print, tableLines, withSentinel } from "./client.ts";

export function addWorkers(program: Command, io: CliIo): void {
  addClientCommand(program, "workers", ["workers", "workers --json"])
    .action((options: ClientOptions) =>
      withSentinel(io, options, async (client) => {
        const list = await client.call("workers.list", {});
        print(io, options, list, () => {
          if (list.workers.length === 0) return ["no workers: casparian worker --connect ADDRESS"];
          const nowMs = io.nowMs();
          const rows = list.workers.map((worker) => [
            worker.id,
            worker.connected ? "connected" : "gone",
            `${worker.running}/${worker.slots}`,
            `${worker.environments.length}`,
            worker.host,
            ago(worker.last_seen_ms, nowMs),
            worker.sandbox,
          ]);
          const titles = ["WORKER", "STATE", ">RUNNING", ">ENVS", "HOST", "SEEN", "SANDBOX"];
          return tableLines(io, titles, rows);
        });
      })
    );
}
