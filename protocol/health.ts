/**
 * `<state>/health/PROGRAM.json`: by which a program shows every few seconds that it works [pure]. A probe
 * only reads it: nothing is asked of a busy program, and one that hangs can not answer by mistake.
 *
 * The file's time is when the program last got something done; what it holds is whether it can take work.
 * It goes when the program ends in order, and grows old when it does not.
 */
import * as z from "zod";

export const PROBED_PROGRAMS = ["sentinel", "worker"] as const;
export type ProbedProgram = typeof PROBED_PROGRAMS[number];

export const HEALTH_FOLDER = "health";
export const HEALTH_BEAT_MS = 2_000;
/** Many beats: a machine that swaps must not end a program that works. */
export const HEALTH_STALE_MS = 30_000;

export const HealthRecord = z.object({
  pid: z.number().int(),
  ready: z.boolean(),
  /** Why it is not ready. */
  because: z.string().nullable(),
});
export type HealthRecord = z.infer<typeof HealthRecord>;

export interface Vitals {
  readonly program: ProbedProgram;
  readonly alive: boolean;
  readonly ready: boolean;
  /** Why it is not alive, or not ready; null where all is well. */
  readonly because: string | null;
}

/** @param seen The program's file: what it holds, and its time; null where there is none. */
export function vitalsOf(
  program: ProbedProgram,
  seen: { readonly text: string; readonly mtimeMs: number } | null,
  nowMs: number,
): Vitals {
  const dead = (because: string): Vitals => ({ program, alive: false, ready: false, because });
  if (seen === null) return dead("it does not run, or has another --state");
  const ageMs = nowMs - seen.mtimeMs;
  if (ageMs > HEALTH_STALE_MS) return dead(`it has stood still for ${Math.round(ageMs / 1000)} s`);
  const record = readRecord(seen.text);
  if (record === null) return dead("its file holds something else");
  return { program, alive: true, ready: record.ready, because: record.because };
}

function readRecord(text: string): HealthRecord | null {
  try {
    return HealthRecord.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
