/** Points in time as people give them: "2h" ago, a day, a day and a time. */
import { InvalidArgumentError } from "commander";

/** What was given, once it is known when now is. */
export type Moment = (nowMs: number) => number;

export const TIMES = "30s, 15m, 2h or 7d ago, 2026-01-31, or 2026-01-31T10:00";

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const AGO = /^(\d{1,6})([smhd])$/;
/** A day begins, and a time without a zone is meant, where the user is. */
const DATE = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/;

export function moment(text: string): Moment {
  const [, count, unit] = AGO.exec(text) ?? [];
  if (count !== undefined) {
    return (nowMs) => nowMs - Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
  }
  const atMs = DATE.test(text) ? Date.parse(text.length === 10 ? `${text}T00:00` : text) : NaN;
  if (Number.isNaN(atMs)) throw new InvalidArgumentError(`It must be a time: ${TIMES}.`);
  return () => atMs;
}
