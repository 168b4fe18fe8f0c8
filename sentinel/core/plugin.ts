/** An active plugin version as the scheduler sees it. */
import type { SinkSpec } from "../../protocol/messages.ts";
import type { PluginRow, PluginSettings } from "../store/store.ts";
import { PAUSE_AFTER } from "./breaker.ts";
import type { RetryRules } from "./retry.ts";

export interface ActivePlugin {
  pluginId: number;
  name: string;
  /** Declared version and the first 8 digits of the artifact: unambiguous in lineage columns. */
  versionLabel: string;
  envHash: string;
  sinks: readonly SinkSpec[];
  rules: RetryRules;
  /** Its share of the slots beside other plugins of the same priority. */
  weight: number;
  /** Jobs of it that workers may hold at the same time, over all its versions; null: any. */
  jobsMax: number | null;
  /** Failures in a row that pause it; 0: never. */
  pauseAfter: number;
  timeoutMs: number | null;
  paused: string | null;
  row: PluginRow;
}

export type TopicSettings = ReadonlyMap<string, Pick<SinkSpec, "uri" | "mode">>;

/** Where a topic lands that nobody configured: swapped by file, in the worker's output folder. */
export function defaultSink(topic: string): SinkSpec {
  return { topic, uri: `parquet://output/${topic}`, mode: "replace" };
}

/** @param settings What an operator set for plugins of this name: it goes before MANIFEST. */
export function activePlugin(
  row: PluginRow,
  topics: TopicSettings,
  settings: PluginSettings = NO_SETTINGS,
): ActivePlugin {
  const manifest = row.manifest as ManifestOfStore;
  const { timeout_s: timeoutS } = manifest;
  return {
    pluginId: row.id,
    name: row.name,
    versionLabel: versionLabel(row),
    envHash: row.envHash ?? "",
    sinks: row.topics.map((topic) => ({ ...defaultSink(topic), ...topics.get(topic) })),
    rules: {
      retries: manifest.retries ?? 0,
      memoryMb: manifest.memory_mb ?? null,
      memoryMbMax: manifest.memory_mb_max ?? null,
    },
    ...schedulingOf(manifest, settings),
    timeoutMs: timeoutS === undefined ? null : Math.ceil(timeoutS * 1000),
    paused: row.paused,
    row,
  };
}

/** What counts for a plugin: the operator's word, else MANIFEST's, else the default. */
export function schedulingOf(
  manifest: Pick<ManifestOfStore, "weight" | "pause_after">,
  settings: PluginSettings = NO_SETTINGS,
): Pick<ActivePlugin, "weight" | "jobsMax" | "pauseAfter"> {
  return {
    weight: settings.weight ?? manifest.weight ?? 1,
    jobsMax: settings.jobsMax,
    pauseAfter: settings.pauseAfter ?? manifest.pause_after ?? PAUSE_AFTER,
  };
}

const NO_SETTINGS: PluginSettings = { weight: null, jobsMax: null, pauseAfter: null };

/** The fields of a stored MANIFEST that scheduling looks at; it was checked when it was published. */
interface ManifestOfStore {
  retries?: number;
  timeout_s?: number;
  memory_mb?: number;
  memory_mb_max?: number;
  weight?: number;
  pause_after?: number;
}

export function versionLabel(row: Pick<PluginRow, "version" | "artifactHash">): string {
  return row.artifactHash ? `${row.version}+${row.artifactHash.slice(0, 8)}` : row.version;
}
