/** The sentinel's files in the state folder: one holder at a time, and where others find it. */
import { dirname, join } from "node:path";
import { CliError } from "../protocol/exit_codes.ts";

export interface SentinelFile {
  address: string;
  events_address: string;
  pid: number;
  started_at_ms: number;
}

/**
 * Makes the folder and takes its lock, which ends with this process however it ends.
 * @throws {CliError} If it cannot be made, or another sentinel holds it.
 */
export function openStateFolder(stateDir: string): Deno.FsFile {
  const path = join(stateDir, "sentinel.lock");
  try {
    Deno.mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    const file = Deno.openSync(path, { create: true, read: true, write: true });
    if (file.tryLockSync(true)) return file;
    file.close();
  } catch (cause) {
    throw new CliError(
      `Cannot use the state folder ${stateDir}: ${(cause as Error).message}. ` +
        `Give a folder that can be written with --state`,
      1,
      { cause },
    );
  }
  throw new CliError(
    `Cannot start as another sentinel holds ${stateDir}${holder(stateDir)}. ` +
      `Stop it first, or give another --state`,
  );
}

function holder(stateDir: string): string {
  try {
    const { pid, address } = JSON.parse(Deno.readTextFileSync(join(stateDir, "sentinel.json")));
    return ` (process ${pid}, at ${address})`;
  } catch {
    return "";
  }
}

/** Removes what a sentinel that was killed left under this address, and makes its folder. */
export function clearSockets(addresses: readonly string[]): void {
  for (const address of addresses) {
    if (!address.startsWith("ipc://")) continue;
    const path = address.slice("ipc://".length);
    Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    removeIfThere(path);
  }
}

/** Written whole or not at all, as others read it at any time. */
export function writeJson(path: string, value: unknown): void {
  const aside = `${path}.new`;
  Deno.writeTextFileSync(aside, JSON.stringify(value), { mode: 0o600 });
  Deno.renameSync(aside, path);
}

export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
