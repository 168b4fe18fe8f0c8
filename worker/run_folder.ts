/**
 * A folder of one start of a worker, for its sockets and scratch folders. A lock on a file in it lives
 * exactly as long as the process, so whoever comes later can tell a dead worker's folder from a live
 * one's, see life_lock.ts.
 */
import { dirname, join } from "node:path";
import { CliError } from "../protocol/exit_codes.ts";
import type { Logger } from "../protocol/ports.ts";
import { removeIfDead, takeLifeLock } from "./life_lock.ts";

const LOCK = "worker.lock";
/** Somebody may just look whether the folder's worker is dead. */
const TAKEN = { tries: 20, waitMs: 25 } as const;

export class RunFolder {
  private constructor(readonly path: string, private readonly lock: Deno.FsFile) {}

  /**
   * Makes the folder, for this user only, and removes what dead workers left in and beside it.
   * @throws {CliError} If another worker has it: a compiled one is given the same at each start.
   */
  static async open(path: string, logger: Logger): Promise<RunFolder> {
    const isWorkers = await Deno.stat(join(path, LOCK)).then(() => true, () => false);
    const folder = new RunFolder(path, await makeLocked(path));
    if (isWorkers) await folder.#empty();
    await folder.#sweep(logger);
    return folder;
  }

  /** Removes the folder. Safe to call twice. */
  async close(): Promise<void> {
    await Deno.remove(this.path, { recursive: true }).catch(ignoreNotFound);
    try {
      this.lock.close();
    } catch {
      // closed already
    }
  }

  async #empty(): Promise<void> {
    for await (const { name } of Deno.readDir(this.path)) {
      if (name !== LOCK) await Deno.remove(join(this.path, name), { recursive: true });
    }
  }

  /** Only a folder that holds a worker's lock file is ever taken for one. */
  async #sweep(logger: Logger): Promise<void> {
    const parent = dirname(this.path);
    for await (const { name } of Deno.readDir(parent)) {
      const path = join(parent, name);
      if (path === this.path) continue;
      try {
        const remove = () => Deno.remove(path, { recursive: true }).catch(ignoreNotFound);
        if (!await removeIfDead(join(path, LOCK), remove)) continue;
        logger.log("info", `Removed what a worker that died had left: ${path}`);
      } catch (error) { // it is in nobody's way, and the next start tries again
        logger.log("warning", `Could not remove what a dead worker left: ${messageOf(error)}`);
      }
    }
  }
}

async function makeLocked(path: string): Promise<Deno.FsFile> {
  for (let tries = 0; tries < TAKEN.tries; tries++) {
    await Deno.mkdir(path, { recursive: true, mode: 0o700 });
    await Deno.chmod(path, 0o700);
    try {
      const lock = takeLifeLock(join(path, LOCK));
      if (lock !== null) return lock;
    } catch (error) {
      ignoreNotFound(error); // it was swept before it had its lock
    }
    await new Promise((resolve) => setTimeout(resolve, TAKEN.waitMs));
  }
  throw new CliError(`Cannot start as another worker runs in ${path}: stop that one first`);
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : `${error}`;
}
