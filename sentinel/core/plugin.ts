/** An active plugin version as the scheduler sees it. */
import type { SinkSpec } from "../../protocol/messages.ts";
import type { PluginRow } from "../store/store.ts";

export interface ActivePlugin {
  pluginId: number;
  name: string;
  /** Declared version and the first 8 digits of the artifact: unambiguous in lineage columns. */
  versionLabel: string;
  envHash: string;
  sinks: readonly SinkSpec[];
  /** Attempts that may fail by the plugin's own fault before the job is FAILED, beyond the first. */
  retries: number;
  timeoutMs: number | null;
  paused: string | null;
  row: PluginRow;
}

export type TopicSettings = ReadonlyMap<string, Pick<SinkSpec, "uri" | "mode">>;

/** Where a topic lands that nobody configured: swapped by file, in the worker's output folder. */
export function defaultSink(topic: string): SinkSpec {
  return { topic, uri: `parquet://output/${topic}`, mode: "replace" };
}

export function activePlugin(row: PluginRow, topics: TopicSettings): ActivePlugin {
  const { retries, timeout_s: timeoutS } = row.manifest as {
    retries?: number;
    timeout_s?: number;
  };
  return {
    pluginId: row.id,
    name: row.name,
    versionLabel: versionLabel(row),
    envHash: row.envHash ?? "",
    sinks: row.topics.map((topic) => ({ ...defaultSink(topic), ...topics.get(topic) })),
    retries: retries ?? 0,
    timeoutMs: timeoutS === undefined ? null : Math.ceil(timeoutS * 1000),
    paused: row.paused,
    row,
  };
}

export function versionLabel(row: Pick<PluginRow, "version" | "artifactHash">): string {
  return row.artifactHash ? `${row.version}+${row.artifactHash.slice(0, 8)}` : row.version;
}
