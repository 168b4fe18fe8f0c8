/** What came of it all: a table of plugins, one of topics, and the files that failed. */
import type { Job } from "../../protocol/records.ts";
import { printable } from "./printable.ts";
import type { Status } from "./progress.ts";
import { bytes, count, counted } from "./quantities.ts";
import { table } from "./table.ts";

/** Beyond so many, `casparian jobs --status FAILED` is the better list. */
export const FAILED_LINES_MAX = 20;

export function pluginTable(status: Status, columns: number): string[] {
  if (status.plugins.length === 0) return ["no plugins: casparian publish my_plugin.py"];
  const rows = status.plugins.map(({ plugin, jobs, waiting_because }) => [
    plugin,
    count(jobs.COMPLETED),
    count(jobs.FAILED),
    count(jobs.QUEUED + jobs.RUNNING),
    waiting_because ?? "",
  ]);
  return table(["PLUGIN", ">DONE", ">FAILED", ">TO DO", ""], rows, columns);
}

export function topicTable(status: Status, columns: number): string[] {
  if (status.topics.length === 0) return ["no tables yet"];
  const rows = status.topics.map((topic) => [
    topic.topic,
    count(topic.files),
    count(topic.rows),
    bytes(topic.bytes),
    topic.uri,
  ]);
  return table(["TOPIC", ">FILES", ">ROWS", ">SIZE", "WHERE"], rows, columns);
}

/** @param failed The first of them, up to FAILED_LINES_MAX; `total` counts all. */
export function failedLines(failed: readonly Job[], total: number): string[] {
  if (total === 0) return [];
  const rest = total - failed.length;
  return [
    `${counted(total, "file")} failed:`,
    ...failed.flatMap((job) => [
      `  ${printable(`${job.root}/${job.path}`)} (job ${job.id}, ${job.plugin})`,
      `    ${job.error_kind ?? "error"}: ${printable(job.error ?? "")}`,
    ]),
    ...rest > 0 ? [`  and ${count(rest)} more: casparian jobs --status FAILED`] : [],
  ];
}

export function summaryLines(
  status: Status,
  failed: readonly Job[],
  columns: number,
): string[] {
  const failures = failedLines(failed, status.jobs.FAILED);
  return [
    ...pluginTable(status, columns),
    "",
    ...topicTable(status, columns),
    ...failures.length > 0 ? ["", ...failures] : [],
  ];
}
