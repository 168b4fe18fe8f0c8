/** The environment of a plugin that is tried out: locked once for the same requirements, then kept. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Environments, PreparedEnvironment } from "./environments.ts";

/** What an environment is made for. */
export interface Needs {
  /** A lockfile of the author's own, which then decides alone. */
  readonly lockfile: string | undefined;
  readonly requirements: readonly string[];
  readonly python: string | undefined;
}

/**
 * @param upgrade Lock afresh, also where the same needs were locked before.
 * @throws {EnvironmentError} If it can't be locked or built.
 */
export async function prepareFor(
  needs: Needs,
  environments: Environments,
  stateDir: string,
  upgrade: boolean,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<PreparedEnvironment> {
  const lockPath = join(stateDir, "locks", `${keyOf(needs)}.lock`);
  const kept = needs.lockfile ?? (upgrade ? undefined : await readIfThere(lockPath));
  const lockfileContent = kept ?? await lock(needs, environments, lockPath, onLine, signal);
  const pythonVersion = needs.python === undefined ? {} : { pythonVersion: needs.python };
  const request = { envHash: sha256(lockfileContent), lockfileContent, ...pythonVersion };
  return await environments.prepare(request, onLine, signal);
}

async function lock(
  { requirements, python }: Needs,
  environments: Environments,
  path: string,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<string> {
  const pythonVersion = python === undefined ? {} : { pythonVersion: python };
  const request = { requirements, ...pythonVersion };
  const { lockfileContent } = await environments.resolve(request, onLine, signal);
  await Deno.mkdir(join(path, ".."), { recursive: true });
  const aside = `${path}.${crypto.randomUUID()}`;
  await Deno.writeTextFile(aside, lockfileContent);
  await Deno.rename(aside, path);
  return lockfileContent;
}

function keyOf({ requirements, python }: Needs): string {
  return sha256(JSON.stringify([requirements.toSorted(), python ?? null]));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
