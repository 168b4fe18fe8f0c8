/** From staged to promoted, and the sweeper that finishes what a crash left between the two. */
import { dirname, join } from "node:path";
import { syncDirectory } from "./directory_sync.ts";
import { checkInside, isInside, stagingDirectory } from "./naming.ts";
import { SinkError, type SweepCatalog, type SweepReport } from "./sink.ts";

/**
 * Every step may have been done before, by us before a crash or by another worker: a final name
 * carries its key and generation, and only one attempt of a generation is ever committed, so a file
 * that stands there already is this output.
 * @param directory Nothing outside of it is touched. A retired file elsewhere, from before the
 * outputs moved, is left alone: it must not keep the new generation from being seen.
 */
export async function promoteOutput(
  directory: string,
  output: { uri: string; staged: string },
  retiredUris: readonly string[],
): Promise<void> {
  for (const path of [output.uri, output.staged]) checkInside(directory, path);
  if (await exists(output.uri)) await removeIfThere(output.staged);
  else await renameStaged(output);
  await syncDirectory(dirname(output.uri)); // before the old one goes: never neither of the two
  for (const uri of retiredUris) {
    if (uri !== output.uri && isInside(directory, uri)) await removeIfThere(uri);
  }
}

/** @returns What it did; safe to run beside workers that write and promote. */
export async function sweepOutputs(
  directory: string,
  catalog: SweepCatalog,
  nowMs: number,
): Promise<SweepReport> {
  const report: SweepReport = { promoted: [], removed: [], lost: [] };
  for (const output of catalog.committed) await promoteLeftover(directory, output, report);
  for (const uri of catalog.retired) {
    if (isInside(directory, uri) && await removeIfThere(uri)) report.removed.push(uri);
  }
  const owned = new Set([...catalog.undecided, ...catalog.committed.map(({ staged }) => staged)]);
  for (const topic of catalog.directories) {
    for await (const path of strayStaged(topic, owned, nowMs - catalog.graceMs)) {
      if (await removeIfThere(path)) report.removed.push(path);
    }
  }
  return report;
}

async function promoteLeftover(
  directory: string,
  output: { uri: string; staged: string },
  report: SweepReport,
): Promise<void> {
  const wasThere = await exists(output.uri);
  if (!wasThere && !await exists(output.staged)) {
    report.lost.push(output.uri);
    return;
  }
  await promoteOutput(directory, output, []);
  if (!wasThere) report.promoted.push(output.uri);
}

async function* strayStaged(
  topic: string,
  owned: ReadonlySet<string>,
  olderThanMs: number,
): AsyncGenerator<string> {
  const staging = stagingDirectory(topic);
  for (const name of await fileNames(staging)) {
    const path = join(staging, name);
    if (!name.endsWith(".staged") || owned.has(path)) continue;
    const modifiedMs = await ifThere(Deno.lstat(path).then(({ mtime }) => mtime?.getTime() ?? 0));
    if (modifiedMs !== undefined && modifiedMs < olderThanMs) yield path;
  }
}

async function fileNames(directory: string): Promise<string[]> {
  const names = await ifThere(Array.fromAsync(Deno.readDir(directory), ({ name }) => name));
  return names ?? [];
}

async function renameStaged({ uri, staged }: { uri: string; staged: string }): Promise<void> {
  try {
    await Deno.rename(staged, uri);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound && await exists(uri)) return; // it was done before
    throw new SinkError(
      `Cannot promote ${uri} as its staged file must be at ${staged}: ${
        (cause as Error).message
      }; ` +
        `run the file again`,
      { cause, retryable: true },
    );
  }
}

/** @returns Whether there was something to remove. */
export async function removeIfThere(path: string): Promise<boolean> {
  return await ifThere(Deno.remove(path).then(() => true)) ?? false;
}

async function exists(path: string): Promise<boolean> {
  return await ifThere(Deno.lstat(path)) !== undefined;
}

async function ifThere<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
