/**
 * A file that is locked for as long as the process lives that made it, however it dies: the kernel lets
 * go of the lock. So what belongs to a dead process can be told from what belongs to a live one, without
 * asking for process ids, which are given out again.
 */

/**
 * Makes the file and locks it, at once; it is the maker's until it closes it.
 * @returns `null` if somebody else has it, be it only to see whether its maker is dead.
 */
export function takeLifeLock(path: string): Deno.FsFile | null {
  for (;;) {
    const file = Deno.openSync(path, { create: true, write: true });
    const isMine = file.tryLockSync(true);
    // Made a moment before it was locked, it may have looked dead to somebody, who removed it.
    if (isMine && isAt(path, file)) return file;
    file.close();
    if (!isMine) return null;
  }
}

/**
 * Calls `remove`, which removes the file and what belongs to it, if its maker is dead.
 * @returns Whether it was; a file that is not there, or not ours to look at, is nobody's.
 */
export async function removeIfDead(path: string, remove: () => Promise<void>): Promise<boolean> {
  const file = await Deno.open(path, { write: true }).catch(() => null);
  if (file === null) return false;
  try {
    if (!lockedAtOnce(file)) return false;
    await remove();
    return true;
  } finally {
    file.close();
  }
}

/** Where locks can not be had at all nobody is known to be dead. */
function lockedAtOnce(file: Deno.FsFile): boolean {
  try {
    return file.tryLockSync(true);
  } catch {
    return false;
  }
}

function isAt(path: string, file: Deno.FsFile): boolean {
  try {
    const [there, mine] = [Deno.statSync(path), file.statSync()];
    return there.ino === mine.ino && there.dev === mine.dev;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
