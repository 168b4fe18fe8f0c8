/** What `casparian run` prints of one file [pure]: schema, first rows, numbers, or what went wrong. */
import type { TopicPreview } from "./preview.ts";
import { textTable } from "./text_table.ts";

export interface FileReport {
  readonly file: string;
  readonly topics: readonly TopicPreview[];
  readonly rows: number;
  readonly seconds: number;
  readonly peakKib: number;
  readonly error: { kind: string; message: string } | null;
}

export function reportLines(report: FileReport, columns: number): string[] {
  return [
    ...report.topics.flatMap((topic) => topicLines(report.file, topic, columns)),
    ...(report.error ? [] : [summaryLine(report)]),
  ];
}

/** The traceback as the author's editor likes it: after the file it is about. */
export function errorLines({ file, error }: FileReport): string[] {
  if (!error) return [];
  return [`${file}: failed`, ...indented(error.message)];
}

function topicLines(file: string, topic: TopicPreview, columns: number): string[] {
  const names = topic.schema.map(({ name }) => name);
  const { rows, row_count } = topic;
  return [
    `${file} → ${topic.topic}: ${count(row_count, "row")}, ${count(names.length, "column")}`,
    ...topic.schema.map((column) =>
      `  ${column.name}: ${column.type}${column.nullable ? "" : " not null"}`
    ),
    "",
    ...indented(textTable(names, rows, columns - 2).join("\n")),
    ...(rows.length < row_count ? [`  … ${count(row_count - rows.length, "more row")}`] : []),
    "",
  ];
}

function summaryLine({ file, topics, rows, seconds, peakKib }: FileReport): string {
  const what = topics.length === 0 ? "no rows at all" : count(rows, "row");
  const rate = seconds > 0 ? ` (${number(Math.round(rows / seconds))} rows/s)` : "";
  const memory = peakKib > 0 ? `, peak memory ${number(Math.round(peakKib / 1024))} MiB` : "";
  return `${file}: ${what} in ${seconds.toFixed(3)} s${rate}${memory}`;
}

function indented(text: string): string[] {
  return text.split("\n").map((line) => line === "" ? "" : `  ${line}`);
}

function count(amount: number, what: string): string {
  return `${number(amount)} ${what}${amount === 1 ? "" : "s"}`;
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}

/** One line of `--json`: what a program wants of a file. */
export function reportJson(report: FileReport): string {
  const { file, topics, rows, seconds, peakKib, error } = report;
  const rows_per_s = seconds > 0 ? Math.round(rows / seconds) : null;
  return JSON.stringify({ file, rows, seconds, rows_per_s, peak_kib: peakKib, topics, error });
}
