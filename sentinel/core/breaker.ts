/**
 * The circuit breaker of a plugin version: so many failures in a row pause it, so that a mistake is not
 * repeated on ten thousand files. In a row: no job of this version came to an end well in between,
 * whichever files and workers. The count stands in the store, beside the version, and so survives a
 * restart; a person's `resume` and a new version begin anew.
 */
import type { ErrorKind } from "../../protocol/messages.ts";
import type { BreakerStrike } from "../store/store.ts";
import type { ActivePlugin } from "./plugin.ts";
import { POLICIES } from "./retry.ts";

/**
 * Unless MANIFEST's `pause_after` or an operator says otherwise. A folder of a few dozen bad files is
 * worked off to its end; of ten thousand, one in two hundred is lost before somebody looks.
 */
export const PAUSE_AFTER = 50;

/** @returns null where the failure says nothing about the plugin, such as a full disk or a lost worker. */
export function strike(
  kind: ErrorKind,
  plugin: ActivePlugin | undefined,
  jobId: number,
  message: string,
): BreakerStrike | null {
  if (!POLICIES[kind].tripsBreaker || !plugin) return null;
  const lastFailure = `the last in job ${jobId}: ${kind}: ${lastLine(message)}`;
  return { pauseAfter: plugin.pauseAfter, lastFailure };
}

const LINE_CHARS_MAX = 200;

function lastLine(text: string): string {
  const line = text.trimEnd().split("\n").at(-1)?.trim() ?? "";
  return line.length > LINE_CHARS_MAX ? `${line.slice(0, LINE_CHARS_MAX)}…` : line;
}
