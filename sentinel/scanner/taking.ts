/**
 * Takes one file that is ready: looks at it once more, looks for its end, hashes it, and looks whether it
 * is still the same. So what is told is the hash of bytes that were there, at that size and time.
 */
import { takenAlthough } from "./arrival_words.ts";
import type { Arrival, Arrivals, ArrivalTimes } from "./arrivals.ts";
import { type Disk, sameStamp } from "./disk.ts";
import { type FoundFile, reasonOf } from "./folder_listing.ts";
import { type MissingEnd, missingEnd } from "./formats/missing_end.ts";
import { hashAll, type Reading, tailFingerprint } from "./reading.ts";
import type { RootFolder } from "./root_folder.ts";
import { Stopped } from "./stopped.ts";

export interface TakingParts {
  disk: Disk;
  folder: RootFolder;
  times: ArrivalTimes;
  arrivals: Pick<Arrivals, "isOverdue">;
  /** Whether it has been waited for, also before a restart. */
  hasWaited(arrival: Arrival): boolean;
  breathe: () => Promise<void>;
}

export type Taking =
  | { state: "taken"; contentHash: string; note: string | null }
  /** It changed since it was found. */
  | { state: "moved"; file: FoundFile; tail: string | null }
  | { state: "open"; tail: string; missing: MissingEnd }
  | { state: "unreadable"; reason: string }
  /** No problem: the next look at its folder tells. */
  | { state: "gone" };

/** @throws {Stopped} */
export async function takeFile(arrival: Arrival, parts: TakingParts): Promise<Taking> {
  const path = parts.folder.path(arrival.folder, arrival.file.name);
  try {
    return movedSince(arrival, parts) ?? await readFile(arrival, path, parts);
  } catch (error) {
    if (error instanceof Stopped) throw error;
    if (error instanceof Deno.errors.NotFound) return { state: "gone" };
    return { state: "unreadable", reason: reasonOf(error) };
  }
}

/** The last bytes of a file; null if it can't be read, which is told when its turn comes. */
export function tailOf(disk: Disk, path: string): string | null {
  try {
    using reading = disk.open(path);
    return tailFingerprint(reading);
  } catch {
    return null;
  }
}

async function readFile(arrival: Arrival, path: string, parts: TakingParts): Promise<Taking> {
  const { file } = arrival;
  using reading = parts.disk.open(path);
  const tail = arrival.tail === null ? null : tailFingerprint(reading);
  if (tail !== arrival.tail) return { state: "moved", file, tail };
  const missing = await endOf(arrival, reading, parts);
  if (missing !== null && !parts.arrivals.isOverdue(arrival)) {
    return { state: "open", missing, tail: tail ?? tailFingerprint(reading) };
  }
  const contentHash = await hashAll(reading, parts.breathe);
  const note = takenAlthough(arrival, missing, parts.times, parts.folder.rules.marker);
  return movedSince(arrival, parts) ?? { state: "taken", contentHash, note };
}

function movedSince({ folder, file }: Arrival, parts: TakingParts): Taking | null {
  const now = parts.folder.find(folder, file);
  if (sameStamp(file, now)) return null;
  return {
    state: "moved",
    file: now,
    tail: tailOf(parts.disk, parts.folder.path(folder, file.name)),
  };
}

/**
 * What is missing at its end. All of it is only read for a file that is to wait if something is missing, or
 * has waited: one that has been still for ages is taken in any case.
 */
async function endOf(
  arrival: Arrival,
  reading: Reading,
  { arrivals, hasWaited, breathe }: TakingParts,
): Promise<MissingEnd | null> {
  const { file: { name, size, marker }, missing } = arrival;
  if (marker === "there") return null; // its writer says that it is whole
  const isOverdue = arrivals.isOverdue(arrival);
  if (missing !== null && !isOverdue) return missing; // its tail is the same
  const thoroughly = !isOverdue || (missing?.isCertain ?? hasWaited(arrival));
  return await missingEnd(reading, { name, size, thoroughly, breathe });
}
