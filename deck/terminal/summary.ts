/** What came of it all: a table of plugins, one of topics, and the files that failed. */
import type { Result } from "../../protocol/control.ts";
import type { Job } from "../../protocol/records.ts";
import { printable } from "./printable.ts";
import type { Status } from "./progress.ts";
import { bytes, count, counted } from "./quantities.ts";
import { table } from "./table.ts";

type SourceFile = Result<"files.list">["files"][number];

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

/** Work that goes on only when a person acts. */
export function heldLines(status: Status): string[] {
  return status.held.map((reason) => `held: ${printable(reason)}`);
}

/** @param failed The first of them, up to FAILED_LINES_MAX; `total` counts all. */
function failedLines(failed: readonly Job[], total: number): string[] {
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

/** Files that cannot be read, with what to do about each. */
function problemLines(files: readonly SourceFile[], total: number): string[] {
  if (total === 0) return [];
  const rest = total - files.length;
  return [
    `${counted(total, "file")} cannot be read:`,
    ...files.flatMap((file) => [
      `  ${printable(`${file.root}/${file.path}`)}`,
      `    ${printable(file.problem ?? "")}`,
    ]),
    ...rest > 0 ? [`  and ${count(rest)} more: casparian files --only problems`] : [],
  ];
}

/** What nobody waits for any longer: files that lack their marker. */
function arrivingLines(arriving: number): string[] {
  if (arriving === 0) return [];
  return [`${counted(arriving, "file")} not taken yet: casparian files --only arriving`];
}

/** @param problems The first files that cannot be read, up to FAILED_LINES_MAX. */
export function summaryLines(
  status: Status,
  failed: readonly Job[],
  problems: readonly SourceFile[],
  columns: number,
): string[] {
  const sections = [
    pluginTable(status, columns),
    topicTable(status, columns),
    failedLines(failed, status.jobs.FAILED),
    problemLines(problems, status.file_problems),
    arrivingLines(status.arriving),
    heldLines(status),
  ];
  return sections.filter((lines) => lines.length > 0).flatMap((lines) => ["", ...lines]).slice(1);
}
