import type { Command } from "commander";
import type { Result } from "../../protocol/control.ts";
import type { CliIo } from "../../protocol/ports.ts";
import { printable } from "../terminal/printable.ts";
import { bytes, count, counted, duration } from "../terminal/quantities.ts";
import {
  addClientCommand,
  type ClientOptions,
  print,
  rowId,
  tableLines,
  withSentinel,
} from "./client.ts";

type JobDetails = Result<"jobs.get">;

export function addJob(program: Command, io: CliIo): void {
  addClientCommand(program, "job", ["job 12", "job 12 --json"])
    .argument("<id>", "the job's number", rowId)
    .action((id: number, options: ClientOptions) =>
      withSentinel(io, options, async (client) => {
        const job = await client.call("jobs.get", { job_id: id });
        print(io, options, job, () => jobLines(job, io));
      })
    );
}

function jobLines(job: JobDetails, io: CliIo): string[] {
  return [
    `job ${job.id}: ${job.state}`,
    `  file      ${printable(`${job.root}/${job.path}`)} (${bytes(job.file_size)})`,
    ...job.file_note ? [`  note      ${printable(job.file_note)}`] : [],
    `  content   sha256 ${job.content_hash}`,
    `  plugin    ${job.plugin}@${job.plugin_version}`,
    `  priority  ${job.priority}, generation ${job.generation}`,
    ...job.memory_mb === null ? [] : [`  memory    limit raised to ${count(job.memory_mb)} MiB`],
    ...job.lost_workers === 0
      ? []
      : [`  lost      ${counted(job.lost_workers, "worker")} that held this job`],
    ...job.waiting_because ? [`  waits     ${printable(job.waiting_because)}`] : [],
    ...section("attempts", attemptLines(job, io)),
    ...section("outputs", outputLines(job, io)),
    ...section("error", job.error_message?.split("\n").map(printable) ?? []),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", `${title}:`, ...lines.map((line) => `  ${line}`)];
}

function attemptLines({ attempts }: JobDetails, io: CliIo): string[] {
  if (attempts.length === 0) return [];
  const rows = attempts.map((attempt) => [
    `${attempt.attempt}`,
    attempt.status ?? "RUNNING",
    attempt.error_kind ?? "",
    new Date(attempt.started_at_ms).toISOString(),
    attempt.finished_at_ms === null
      ? "-"
      : duration(attempt.finished_at_ms - attempt.started_at_ms),
    attempt.worker_id,
  ]);
  return tableLines(io, [">NO", "STATUS", "ERROR", "STARTED", ">TOOK", "WORKER"], rows);
}

function outputLines({ outputs }: JobDetails, io: CliIo): string[] {
  if (outputs.length === 0) return [];
  const rows = outputs.map((output) => [
    output.topic,
    count(output.rows),
    bytes(output.bytes),
    output.state === "LIVE" && output.promoted_at_ms === null ? "COMMITTED" : output.state,
    output.uri,
  ]);
  return tableLines(io, ["TOPIC", ">ROWS", ">SIZE", "STATE", "WHERE"], rows);
}
