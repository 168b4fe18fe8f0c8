import type { Command } from "commander";
import type { CliIo } from "../../protocol/ports.ts";
import { type Status, statusText } from "../terminal/progress.ts";
import { printable } from "../terminal/printable.ts";
import { count, counted } from "../terminal/quantities.ts";
import { heldLines, pluginTable, topicTable } from "../terminal/summary.ts";
import { addClientCommand, type ClientOptions, print, withSentinel } from "./client.ts";

export function addStatus(program: Command, io: CliIo): void {
  addClientCommand(program, "status", ["status", "status --json"])
    .action((options: ClientOptions) =>
      withSentinel(io, options, async (client) => {
        const status = await client.call("system.status", {});
        print(io, options, status, () => statusLines(status, io));
      })
    );
}

function statusLines(status: Status, io: CliIo): string[] {
  const problems = status.file_problems === 0
    ? ""
    : `, ${counted(status.file_problems, "problem")} (casparian files --only problems)`;
  const arriving = status.arriving === 0
    ? ""
    : `, ${count(status.arriving)} still arriving (casparian files --only arriving)`;
  return [
    status.idle && status.held.length === 0 ? "idle: nothing is left to do" : statusText(status),
    `${counted(status.files, "file")}${arriving}${problems}, ${counted(status.workers, "worker")}`,
    ...status.store_problem ? [`the store cannot be written: ${status.store_problem}`] : [],
    ...heldLines(status),
    ...status.waiting_for.map((reason) => `waiting for: ${printable(reason)}`),
    "",
    ...pluginTable(status, io.columns),
    "",
    ...topicTable(status, io.columns),
  ];
}
