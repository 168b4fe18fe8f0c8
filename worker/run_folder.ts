/**
 * A folder of one start of a worker, for its sockets and scratch folders. A lock on a file in it lives
 * exactly as long as the process, so whoever comes later can tell a dead worker's folder from a live
 * one's without asking for process ids, which are given out again.
 */
import { dirname, join } from "node:path";
import { CliError } from "../protocol/exit_codes.ts";
import type { Logger } from "../protocol/ports.ts";

const LOCK = "worker.lock";
/** A folder is made a moment before its lock is taken. */
const NEW_MS = 60_000;

export class RunFolder {
  private constructor(readonly path: string, private readonly lock: Deno.FsFile) {}

  /**
   * Makes the folder, for this user only, and removes what dead workers left in and beside it.
   * @throws {CliError} If another worker has it: a compiled one is given the same at each start.
   */
  static async open(path: string, nowMs: number, logger: Logger): Promise<RunFolder> {
    await Deno.mkdir(path, { recursive: true, mode: 0o700 });
    await Deno.chmod(path, 0o700);
    const isWorkers = await Deno.stat(join(path, LOCK)).then(() => true, () => false);
    const lock = await Deno.open(join(path, LOCK), { create: true, write: true });
    if (!await lock.tryLock(true)) {
      lock.close();
      throw new CliError(`Cannot start as another worker runs in ${path}: stop that one first`);
    }
    const folder = new RunFolder(path, lock);
    if (isWorkers) await folder.#empty();
    await folder.#sweep(nowMs, logger);
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

  async #sweep(nowMs: number, logger: Logger): Promise<void> {
    const parent = dirname(this.path);
    for await (const { name } of Deno.readDir(parent)) {
      const path = join(parent, name);
      if (path === this.path || !await isDead(path, nowMs)) continue;
      await Deno.remove(path, { recursive: true }).catch(ignoreNotFound);
      logger.log("info", `Removed what a worker that died had left: ${path}`);
    }
  }
}

/** Only a folder that holds a worker's lock file is ever taken for one. */
async function isDead(path: string, nowMs: number): Promise<boolean> {
  try {
    const { mtime } = await Deno.stat(path);
    using lock = await Deno.open(join(path, LOCK), { write: true });
    return nowMs - (mtime?.getTime() ?? nowMs) > NEW_MS && lock.tryLockSync(true);
  } catch {
    return false; // not a worker's, not ours to read, or gone
  }
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
