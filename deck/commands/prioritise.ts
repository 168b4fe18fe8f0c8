import type { Command } from "commander";
import type { CliIo } from "../../protocol/ports.ts";
import { counted } from "../terminal/quantities.ts";
import { addClientCommand, rowIds, withSentinel } from "./client.ts";
import { withFilterOptions } from "./job_filter.ts";
import { type ChoiceOptions, chosenJobs, jobPriority, report } from "./retry.ts";

export function addPrioritise(program: Command, io: CliIo): void {
  withFilterOptions(addClientCommand(program, "prioritise", [
    "prioritise 12 13 --to 100",
    "prioritise --plugin sales_csv --path 2026-01 --to 10",
    "prioritise --all --to 0",
  ]))
    .argument("[ids...]", "the jobs' numbers", rowIds)
    .option("--all", "all that are queued")
    .requiredOption("--to <number>", "the priority; higher goes first, 0 is usual", jobPriority)
    .action(async (ids: number[], options: ChoiceOptions & { to: number }) => {
      const choice = chosenJobs("prioritise", ids, options, io.nowMs());
      await withSentinel(io, options, async (client) => {
        const reply = await client.call("jobs.prioritise", { ...choice, priority: options.to });
        const jobs = counted(reply.prioritised, "job");
        report(io, options, reply, `${jobs} now of priority ${options.to}`);
      });
    });
}
