/** `<state>/sentinel.json`: how a sentinel tells those on its machine where it listens. */
import { join } from "node:path";
import { CliError } from "../protocol/exit_codes.ts";

export interface SentinelFile {
  readonly address: string;
  readonly events_address: string;
  readonly pid: number;
  readonly started_at_ms: number;
}

/** @returns `null` where there is none, or only half of one yet. */
export async function readSentinelFile(state: string): Promise<SentinelFile | null> {
  const path = join(state, "sentinel.json");
  try {
    return asSentinelFile(JSON.parse(await Deno.readTextFile(path)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof SyntaxError) return null;
    throw new CliError(`Cannot read ${path}: ${(error as Error).message}`);
  }
}

function asSentinelFile(value: Partial<SentinelFile> | null): SentinelFile | null {
  const whole = typeof value?.address === "string" && typeof value.pid === "number";
  return whole ? value as SentinelFile : null;
}
