import { join } from "node:path";
import * as z from "zod";
import type { HostPython } from "./host_python.ts";

/** Says that an environment is whole: written last, before the rename that shows it. */
const MARKER = "casparian.json";

const Marker = z.object({
  env_hash: z.string(),
  /** "3.11.7". */
  python: z.string(),
  /** Of the interpreter that the environment links to; its own is wherever the marker is. */
  folders: z.array(z.string()),
  built_ms: z.number(),
  bytes: z.number(),
});

export interface EnvironmentMarker {
  readonly python: string;
  readonly folders: readonly string[];
  readonly bytes: number;
  /** The marker's own time, moved with each use. */
  readonly lastUsedMs: number;
}

/** @returns `null` if there is no whole environment. */
export async function readMarker(home: string): Promise<EnvironmentMarker | null> {
  const path = join(home, MARKER);
  try {
    const { mtime } = await Deno.stat(path);
    const { python, folders, bytes } = Marker.parse(JSON.parse(await Deno.readTextFile(path)));
    return { python, folders, bytes, lastUsedMs: mtime?.getTime() ?? 0 };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof SyntaxError) return null;
    if (error instanceof z.ZodError) return null; // of another version: made again
    throw error;
  }
}

export async function writeMarker(
  home: string,
  made: { envHash: string; python: HostPython; builtMs: number },
): Promise<void> {
  const marker: z.infer<typeof Marker> = {
    env_hash: made.envHash,
    python: made.python.version,
    folders: made.python.prefixes.slice(-1),
    built_ms: made.builtMs,
    bytes: bytesBelow(home),
  };
  await Deno.writeTextFile(join(home, MARKER), `${JSON.stringify(marker)}\n`);
}

/** Synchronous: for thousands of small files that takes a fifth of the time. */
function bytesBelow(dir: string): number {
  let bytes = 0;
  for (const entry of Deno.readDirSync(dir)) {
    const path = join(dir, entry.name);
    bytes += entry.isDirectory ? bytesBelow(path) : Deno.lstatSync(path).size;
  }
  return bytes;
}
