import type { Command } from "commander";
import type { ControlClient } from "../../protocol/control.ts";
import type { CliIo } from "../../protocol/ports.ts";
import type { Job } from "../../protocol/records.ts";
import { count } from "../terminal/quantities.ts";
import {
  addClientCommand,
  type ClientOptions,
  print,
  rowId,
  tableLines,
  wholeNumber,
  withSentinel,
} from "./client.ts";
import { chosenFilter, type FilterOptions, withFilterOptions } from "./job_filter.ts";

interface JobsOptions extends ClientOptions, FilterOptions {
  readonly limit: number;
  readonly after?: number;
}

export function addJobs(program: Command, io: CliIo): void {
  withFilterOptions(addClientCommand(program, "jobs", [
    "jobs --failed",
    "jobs --failed --error-kind worker_lost --since 2h",
    "jobs --plugin sales_csv --path 2026-01 --json",
  ]))
    .option("--failed", "all that failed: --status FAILED")
    .option("--limit <number>", "at most so many", wholeNumber(1, 1000), 50)
    .option("--after <id>", "continue after this job", rowId)
    .action((options: JobsOptions) =>
      withSentinel(io, options, (client) => listJobs(client, io, options))
    );
}

async function listJobs(client: ControlClient, io: CliIo, options: JobsOptions): Promise<void> {
  const { limit, after } = options;
  const filter = chosenFilter(options, io.nowMs());
  const page = await client.call("jobs.list", {
    filter,
    limit,
    ...after === undefined ? {} : { after },
  });
  print(io, options, page, () => [
    ...jobTable(io, page.jobs),
    ...page.jobs.length < limit ? [] : [`more: casparian jobs --after ${page.jobs.at(-1)!.id} …`],
  ]);
}

export function jobTable(io: CliIo, jobs: readonly Job[]): string[] {
  if (jobs.length === 0) return ["no such jobs"];
  const rows = jobs.map((job) => [
    `${job.id}`,
    job.state,
    `${job.plugin}@${job.plugin_version}`,
    job.rows === null ? "-" : count(job.rows),
    `${job.root}/${job.path}`,
    job.error === null ? "" : `${job.error_kind}: ${job.error}`,
  ]);
  return tableLines(io, [">JOB", "STATE", "PLUGIN", ">ROWS", "FILE", "ERROR"], rows);
}
