import { dirname } from "node:path";

/** A lock that is waited for is tried again this often: waiting in the kernel could not be aborted. */
const RETRY_MS = 50;

export interface FileLockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once, when somebody else holds the lock. */
  readonly onWait?: () => void;
}

/**
 * Runs `work` while holding the lock of a file, which is made where it is missing and never removed
 * (removing it would let two processes lock two files of one name). The kernel lets go of the lock
 * when its holder dies, however it dies, and it holds between tasks of one process, too.
 */
export async function withFileLock<T>(
  path: string,
  work: () => Promise<T>,
  { signal, onWait }: FileLockOptions = {},
): Promise<T> {
  using file = await openLock(path);
  for (let tries = 0; !await file.tryLock(true); tries++) {
    if (tries === 0) onWait?.();
    await delay(RETRY_MS);
    signal?.throwIfAborted();
  }
  return await work();
}

/** The same for a lock that nobody holds; otherwise nothing is done, and `undefined` comes back. */
export async function withFreeFileLock<T>(
  path: string,
  work: () => Promise<T>,
): Promise<T | undefined> {
  using file = await openLock(path);
  return await file.tryLock(true) ? await work() : undefined;
}

async function openLock(path: string): Promise<Deno.FsFile> {
  await Deno.mkdir(dirname(path), { recursive: true });
  return await Deno.open(path, { create: true, write: true });
}

const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
