/** `retry` and `cancel`: the same choice of jobs, and the same answer. */
import type { Command } from "commander";
import type { JobFilter } from "../../protocol/control.ts";
import { EXIT, UsageError } from "../../protocol/exit_codes.ts";
import type { CliIo } from "../../protocol/ports.ts";
import { JOB_PRIORITY_MAX } from "../../protocol/scheduling_bounds.ts";
import { printable } from "../terminal/printable.ts";
import { counted } from "../terminal/quantities.ts";
import {
  addClientCommand,
  type ClientOptions,
  print,
  rowIds,
  wholeNumber,
  withSentinel,
} from "./client.ts";
import { chosenFilter, type FilterOptions, withFilterOptions } from "./job_filter.ts";

export interface ChoiceOptions extends ClientOptions, FilterOptions {
  readonly all?: boolean;
  readonly priority?: number;
}

export const jobPriority = wholeNumber(-JOB_PRIORITY_MAX, JOB_PRIORITY_MAX);

interface Choice {
  job_ids?: number[];
  filter?: JobFilter;
}

interface Refusal {
  readonly job_id: number;
  readonly reason: string;
}

export function addRetry(program: Command, io: CliIo): void {
  withFilterOptions(addClientCommand(program, "retry", [
    "retry 12 13",
    "retry --failed",
    "retry --failed --error-kind sink --since 2h --priority 10",
    "retry --plugin sales_csv --status COMPLETED",
  ]))
    .argument("[ids...]", "the jobs' numbers", rowIds)
    .option("--failed", "all that failed: --status FAILED")
    .option("--priority <number>", "their priority from now on; higher goes first", jobPriority)
    .action(async (ids: number[], options: ChoiceOptions) => {
      const choice = chosenJobs("retry", ids, options, io.nowMs());
      const { priority } = options;
      await withSentinel(io, options, async (client) => {
        const reply = await client.call("jobs.retry", {
          ...choice,
          ...priority === undefined ? {} : { priority },
        });
        report(io, options, reply, `${counted(reply.retried, "job")} queued again`);
      });
    });
}

export function addCancel(program: Command, io: CliIo): void {
  withFilterOptions(addClientCommand(program, "cancel", [
    "cancel 12 13",
    "cancel --plugin sales_csv",
    "cancel --all",
  ]))
    .argument("[ids...]", "the jobs' numbers", rowIds)
    .option("--all", "all that are queued or running")
    .action(async (ids: number[], options: ChoiceOptions) => {
      const choice = chosenJobs("cancel", ids, options, io.nowMs());
      await withSentinel(io, options, async (client) => {
        const reply = await client.call("jobs.cancel", choice);
        report(io, options, reply, `${counted(reply.cancelled, "job")} cancelled`);
      });
    });
}

/** Nothing chosen must not mean everything. */
export function chosenJobs(
  command: string,
  ids: readonly number[],
  options: FilterOptions & { all?: boolean },
  nowMs: number,
): Choice {
  const filter = chosenFilter(options, nowMs);
  const filtered = Object.keys(filter).length > 0 || options.all === true;
  if (ids.length > 0 && filtered) {
    throw new UsageError(`Cannot ${command} both jobs by number and by a filter: give one of them`);
  }
  if (ids.length > 0) return { job_ids: [...ids] };
  if (filtered) return { filter };
  throw new UsageError(
    `Cannot ${command} as no job is named: give numbers or a filter, see --help`,
  );
}

export function report(
  io: CliIo,
  options: ClientOptions,
  reply: { refused: readonly Refusal[] },
  text: string,
): void {
  print(io, options, reply, () => [text]);
  if (reply.refused.length === 0) return;
  io.exitCode = EXIT.error;
  if (options.json) return;
  for (const { job_id, reason } of reply.refused) io.stderr(`job ${job_id}: ${printable(reason)}`);
}
