/** Names of output files: readable, safe on every file system, and one for each key and generation. */
import { createHash } from "node:crypto";
import { basename, dirname, join, resolve, sep } from "node:path";
import { type OutputSpec, SinkError } from "./sink.ts";

const STAGING = ".staging";
const STEM_CHARACTERS_MAX = 60;

/**
 * @returns The folder of a topic below that of all outputs.
 * @throws {SinkError} If the topic can't be the name of a folder.
 */
export function topicDirectory(outputDirectory: string, topic: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(topic)) return join(outputDirectory, topic);
  throw new SinkError(
    `Cannot name a folder after a topic as it must be 1 to 128 letters, digits, "_", "-" or "." ` +
      `and start with a letter, digit or "_": got ${JSON.stringify(topic)}`,
  );
}

/** @returns Absolute path of the promoted output: `<stem>.<key>.g<generation>.parquet`. */
export function finalPath(spec: OutputSpec): string {
  const name = `${readableStem(spec.fileName)}.${key16(spec)}.g${spec.generation}.parquet`;
  return join(spec.directory, name);
}

/**
 * @param startId Names this run of the worker, so that a restarted one never meets its own leftovers.
 * @returns Absolute path while it is written; no reader of `*.parquet` takes it for an output.
 */
export function stagedPath(spec: OutputSpec, startId: string): string {
  const final = finalPath(spec);
  const name = `${basename(final)}.${startId}.a${spec.attempt}.staged`;
  return join(dirname(final), STAGING, name);
}

export function stagingDirectory(topicDirectory: string): string {
  return join(topicDirectory, STAGING);
}

/** Whether the path is absolute, plain (no `..`, no `//`) and below the folder. */
export function isInside(directory: string, path: string): boolean {
  return path === resolve(path) && path.startsWith(directory + sep) && !path.includes("\0");
}

/** @throws {SinkError} If the path isn't inside of the folder. */
export function checkInside(directory: string, path: string): void {
  if (isInside(directory, path)) return;
  throw new SinkError(
    `Cannot use ${JSON.stringify(path)} as outputs must lie inside ${directory}; ` +
      `start the worker with --output for that folder`,
  );
}

/** Names the output among those of its topic: the same plugin on the same file, or version of it. */
function key16(spec: OutputSpec): string {
  const parts = [spec.topic, spec.pluginName, spec.fileId];
  if (spec.keyedBySource) parts.push(spec.sourceHash);
  return createHash("sha256").update(parts.join("\0")).digest("hex").slice(0, 16);
}

function readableStem(fileName: string): string {
  const ascii = fileName.replace(/[^A-Za-z0-9._-]+/g, "_").replace(/^[._-]+/, "");
  return ascii.slice(0, STEM_CHARACTERS_MAX).replace(/[._-]+$/, "") || "file";
}
