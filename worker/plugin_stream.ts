/** One plugin run's frames, handed to whom they concern: batches to a target, text to a log. */
import { LOG_JOB_BYTES_MAX, LOG_MESSAGE_COST_BYTES } from "../protocol/ids.ts";
import { JobFailure } from "./conclusions.ts";
import { overLogs } from "./early_end.ts";
import type { JobLog } from "./log_capture.ts";
import { PluginDied, type PluginRun } from "./plugin_run.ts";

export interface BatchTarget {
  readonly defaultTopic: string;
  /** The topics that may be yielded to, for an error's text; undefined if the plugin names none. */
  readonly allowed: readonly string[] | undefined;
  allows(topic: string): boolean;
  /** Resolves when it wants more: that is what holds the plugin back. */
  write(topic: string, ipcStream: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** What a run has done so far; the plugin's process reports rows and memory. */
export interface RunCounts {
  rows: number;
  /** Results that the plugin has yielded. */
  yielded: number;
  /** Frames of rows that have come. */
  batches: number;
  /** Of Arrow IPC. */
  bytes: number;
  logBytes: number;
  rssKib: number;
}

export function noCounts(): RunCounts {
  return { rows: 0, yielded: 0, batches: 0, bytes: 0, logBytes: 0, rssKib: 0 };
}

/** The shim cuts a log off exactly at its bound, and says so in one line more. */
const LOG_BYTES_SPARE = 1024 * 1024;

/**
 * Resolves once the plugin said that it is done. Whatever happens, `counts` tell how far it has come.
 * @param logBytesMax What the shim lets it print: whoever sends much more goes around the shim.
 * @throws {PluginError} With the traceback, if the plugin raised.
 * @throws {PluginDied} If its process ended before its end marker, or was killed.
 * @throws {JobFailure} If it yielded to a topic that is not the target's, or floods the worker.
 */
export async function streamPlugin(
  run: PluginRun,
  target: BatchTarget,
  log: Pick<JobLog, "add">,
  counts: RunCounts,
  logBytesMax = LOG_JOB_BYTES_MAX,
): Promise<void> {
  let topic = target.defaultTopic;
  try {
    for await (const frame of run.frames) {
      switch (frame.type) {
        case "batch":
          counts.batches++;
          counts.bytes += frame.bytes.length;
          await target.write(known(topic, target), frame.bytes);
          break;
        case "topic":
          topic = known(frame.topic, target);
          break;
        case "log":
          countLog(frame.text, counts, logBytesMax);
          log.add(frame.level, frame.text);
          break;
        case "progress":
          noteProgress(frame.json, counts);
      }
    }
  } catch (error) {
    if (error instanceof PluginDied && error.exit) {
      counts.rows = error.exit.rows;
      counts.yielded = error.exit.results;
    }
    throw error;
  }
}

function noteProgress({ rows, batches, rss_kib }: Record<string, unknown>, counts: RunCounts) {
  counts.rows = wholeNumber(rows) ?? counts.rows;
  counts.yielded = wholeNumber(batches) ?? counts.yielded;
  counts.rssKib = Math.max(counts.rssKib, wholeNumber(rss_kib) ?? 0);
}

function countLog(text: string, counts: RunCounts, bytesMax: number): void {
  counts.logBytes += text.length + LOG_MESSAGE_COST_BYTES;
  if (counts.logBytes <= bytesMax + LOG_BYTES_SPARE) return;
  throw overLogs(counts.logBytes, bytesMax, counts);
}

function known(topic: string, target: BatchTarget): string {
  if (target.allows(topic)) return topic;
  const allowed = target.allowed?.map((name) => `'${name}'`).join(", ");
  throw new JobFailure(
    "plugin",
    allowed === undefined
      ? `The plugin yielded to topic '${topic}', which is no name for a table`
      : `The plugin yielded to topic '${topic}', which is not in its MANIFEST (topic, topics): ` +
        `it may yield to ${allowed}`,
  );
}

function wholeNumber(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? value as number : undefined;
}
