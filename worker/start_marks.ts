/**
 * Which starts of workers write to a folder right now. Each holds a lock on a file named after it for
 * as long as it lives, also on storage that several hosts share: so the staged files of a dead one can
 * be told from those of a job that has been running for hours.
 */
import { join } from "node:path";
import { removeIfDead, takeLifeLock } from "./life_lock.ts";
import { removeIfThere } from "./sinks/promote.ts";

const FOLDER = ".workers";
const SUFFIX = ".lock";

export class StartMark {
  private constructor(readonly path: string, private readonly file: Deno.FsFile) {}

  /** Makes the folder where it is not there. At once, so that no output can begin before it. */
  static set(directory: string, startId: string): StartMark {
    const path = markPath(directory, startId);
    Deno.mkdirSync(join(directory, FOLDER), { recursive: true });
    // Nobody else asks for a lock of that name but to see, for a moment, whether it is taken.
    for (;;) {
      const file = takeLifeLock(path);
      if (file !== null) return new StartMark(path, file);
    }
  }

  async remove(): Promise<void> {
    await removeIfThere(this.path);
    this.file.close();
  }
}

/** Whether a worker has ever written to the folder. */
export async function hasMarks(directory: string): Promise<boolean> {
  return await Deno.stat(join(directory, FOLDER)).then(() => true, () => false);
}

/** Starts that live, ours among them; the marks of dead ones are removed. */
export async function liveStarts(directory: string): Promise<Set<string>> {
  const live = new Set<string>();
  for (const name of await names(join(directory, FOLDER))) {
    if (!name.endsWith(SUFFIX)) continue;
    const startId = name.slice(0, -SUFFIX.length);
    const path = markPath(directory, startId);
    if (!await removeIfDead(path, async () => void await removeIfThere(path))) live.add(startId);
  }
  return live;
}

async function names(directory: string): Promise<string[]> {
  try {
    return await Array.fromAsync(Deno.readDir(directory), ({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function markPath(directory: string, startId: string): string {
  return join(directory, FOLDER, startId + SUFFIX);
}
