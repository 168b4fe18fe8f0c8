/** What a warm process is asked to do, made from a DISPATCH. */
import { dirname } from "node:path";
import { SYSTEM_ENVIRONMENT } from "../protocol/ids.ts";
import { JobFailure } from "./conclusions.ts";
import type { Job } from "./job_slots.ts";
import type { MessageBody } from "../protocol/messages.ts";
import { hashText } from "./source_file.ts";
import type { PluginJob } from "./plugin_run.ts";

export interface PluginSetting {
  /** What a plugin may hold whose MANIFEST names no limit. */
  readonly memoryBytes: number;
  /** Path of a ready environment's Python, by its hash; nothing if it is not ready here. */
  interpreterOf(envHash: string): Promise<string | undefined>;
}

/** @throws {JobFailure} Of kind "environment", if the job's environment is not ready here. */
export async function pluginJobOf(job: Job, setting: PluginSetting): Promise<PluginJob> {
  const { id, attempt, body } = job;
  return {
    jobId: id,
    attempt,
    interpreterPath: await interpreterFor(body.env_hash, setting),
    artifactHash: body.artifact_hash ?? hashText(body.source_code),
    pluginName: body.plugin_name,
    pluginCode: body.source_code,
    filePath: body.file_path,
    fileVersionId: body.file_version_id,
    topics: body.sinks.map((sink) => sink.topic),
    config: body.config ?? {},
    isolation: body.isolation ?? "plugin",
    // A plain v4 sentinel names none: then the file's own folder is all that the plugin sees.
    dataRoots: body.data_roots?.length ? body.data_roots : [dirname(body.file_path)],
    memoryBytes: memoryLimitOf(body, setting),
    logBytes: body.limits?.log_bytes,
  };
}

export function memoryLimitOf(
  { limits }: Pick<MessageBody<"dispatch">, "limits">,
  { memoryBytes }: PluginSetting,
): number {
  return limits?.memory_bytes ?? memoryBytes;
}

async function interpreterFor(envHash: string, setting: PluginSetting): Promise<string> {
  const path = await setting.interpreterOf(envHash);
  if (path !== undefined) return path;
  const reason = envHash === SYSTEM_ENVIRONMENT
    ? "this host has no python3 on its PATH"
    : `environment ${envHash} is not ready here: the sentinel must send PREPARE_ENV first`;
  throw new JobFailure("environment", `Cannot run the job as ${reason}`, true);
}
