/** A DISPATCH's JSON: the plugin's part is the same for all its jobs and is written once. */
import type { ReadyJob } from "./store/store.ts";
import type { ActivePlugin } from "./core/plugin.ts";

const pluginParts = new WeakMap<ActivePlugin, string>();

export function dispatchJson(
  plugin: ActivePlugin,
  job: ReadyJob,
  attempt: number,
  leaseMs: number,
): string {
  let part = pluginParts.get(plugin);
  if (part === undefined) pluginParts.set(plugin, part = JSON.stringify(pluginPart(plugin)));
  const own = JSON.stringify({
    file_path: job.filePath,
    file_version_id: job.fileVersionId,
    attempt,
    lease_ms: leaseMs,
    content_hash: job.contentHash,
    size: job.size,
    mtime_ms: job.mtimeMs,
    file_id: job.fileKey,
    // Of the whole root, so that one warm process can serve all of its folders.
    data_roots: [job.rootDirectory],
    // Other hosts may have it elsewhere: they know it by name.
    root: { name: job.rootName, directory: job.rootDirectory },
    generation: job.generation,
    ...limitsOf(job.memoryMb ?? plugin.rules.memoryMb),
  });
  return `${part.slice(0, -1)},${own.slice(1)}`;
}

function pluginPart({ row, ...plugin }: ActivePlugin) {
  const { isolation, config } = row.manifest as { isolation?: string; config?: unknown };
  return {
    plugin_name: plugin.name,
    plugin_version: plugin.versionLabel,
    env_hash: plugin.envHash,
    source_code: row.sourceCode,
    artifact_hash: row.artifactHash,
    sinks: plugin.sinks,
    isolation,
    config,
    ...(plugin.timeoutMs === null ? {} : { timeout_ms: plugin.timeoutMs }),
  };
}

/** Of the job and not of its plugin alone: a job that died for want of memory has a higher limit. */
function limitsOf(memoryMb: number | null): { limits?: { memory_bytes: number } } {
  return memoryMb === null ? {} : { limits: { memory_bytes: memoryMb * 1024 * 1024 } };
}
