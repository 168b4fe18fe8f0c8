/** The rules by which files arrive in a root: what is left out, how they are stored, what the scanner is told. */
import { ControlError } from "../protocol/control.ts";
import { PARTIAL_BUILT_IN, type RootRules } from "../protocol/records.ts";
import { compileRoutes, RoutingError } from "./routing.ts";
import {
  patienceMsDefault,
  POLL_MS_DEFAULT,
  type ScannerRoot,
  SETTLE_MS_DEFAULT,
} from "./scanner/scanner.ts";
import type { NewRoot, RootRow } from "./store/store.ts";

type AllRules = { [K in keyof RootRules]-?: Exclude<RootRules[K], undefined> };

const INITIAL: AllRules = {
  settle_ms: SETTLE_MS_DEFAULT,
  patience_ms: null,
  poll_ms: POLL_MS_DEFAULT,
  poll_only: null,
  marker: null,
  partial: [PARTIAL_BUILT_IN],
  ignore: [],
};

/**
 * A root as it is to be stored.
 * @param before As it is stored: its rules stay where `rules` leaves them out.
 * @throws {ControlError} If a glob is none.
 */
export function rootToStore(
  { name, directory }: { name: string; directory: string },
  before: RootRow | undefined,
  rules: RootRules,
): NewRoot {
  const given = Object.entries(rules).filter(([, value]) => value !== undefined);
  const all: AllRules = { ...INITIAL, ...before, ...Object.fromEntries(given) };
  [...all.partial, ...all.ignore].forEach(checkGlob);
  const { marker, partial, ignore } = all;
  return {
    ...{ name, directory },
    settleMs: all.settle_ms,
    patienceMs: all.patience_ms,
    pollMs: all.poll_ms,
    pollOnly: all.poll_only,
    ...{ marker, partial, ignore },
  };
}

/** How long a file without its end must be unchanged to be taken as it is, in milliseconds. */
export function patienceMsOf({ patience_ms, settle_ms }: RootRow): number {
  return Math.max(settle_ms, patience_ms ?? patienceMsDefault(settle_ms));
}

export function scannerRoot(row: RootRow): ScannerRoot {
  const { id: rootId, name, directory, marker, partial, ignore } = row;
  return {
    ...{ rootId, name, directory, marker, partial, ignore },
    settleMs: row.settle_ms,
    patienceMs: patienceMsOf(row),
    pollMs: row.poll_ms,
    pollOnly: row.poll_only,
  };
}

function checkGlob(glob: string): void {
  try {
    compileRoutes([{ id: "ignore", pattern: glob, target: "" }]);
  } catch (error) {
    if (!(error instanceof RoutingError)) throw error;
    throw new ControlError("invalid", `Cannot ignore ${JSON.stringify(glob)}: ${error.message}`);
  }
}
