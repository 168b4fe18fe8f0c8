/** Why files wait, for people. [pure] */
import type { Arrival, ArrivalTimes } from "./arrivals.ts";
import type { MissingEnd } from "./formats/missing_end.ts";
import type { Marker } from "./name_rules.ts";

/** Why a file is not taken yet, and when it will be. */
export function waitsBecause(
  { file, missing }: Arrival,
  { settleMs, patienceMs }: ArrivalTimes,
  marker: Marker | null,
): string {
  const asItIs = `it is taken as it is once unchanged for ${seconds(patienceMs)}`;
  const markerName = marker?.of(file.name) ?? "";
  if (file.marker === "missing") return `its marker ${markerName} is not there yet`;
  if (file.marker === "stale") return `its marker ${markerName} is older than it; ${asItIs}`;
  if (missing?.isCertain) return `its ${missing.what} is not there yet; ${asItIs}`;
  if (missing) return `it is too big to be searched for its ${missing.what}; ${asItIs}`;
  return `it is still being written; it is taken once unchanged for ${seconds(settleMs)}`;
}

/** What is to be known of a file that was taken although something was missing. */
export function takenAlthough(
  { file }: Arrival,
  missing: MissingEnd | null,
  { patienceMs }: ArrivalTimes,
  marker: Marker | null,
): string | null {
  const after = `after ${seconds(patienceMs)} without a change`;
  if (file.marker === "stale") {
    return `Taken although its marker ${marker?.of(file.name)} was older than it ${after}`;
  }
  return missing?.isCertain ? `Taken although its ${missing.what} was not there ${after}` : null;
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}
