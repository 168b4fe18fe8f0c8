/**
 * `deno task bench [PART…] [--json]`: every figure of docs/benchmarks.md, measured in one run, each
 * beside its floor. Parts: small, large, dispatch, scan; all without one.
 */
import { dispatch } from "./dispatch_bench.ts";
import { latencyAndLargeOutput } from "./large_output_bench.ts";
import { scans } from "./scan_bench.ts";
import { smallFiles } from "./small_files_bench.ts";
import type { Row } from "./system.ts";

const PARTS: Record<string, (directory: string) => Promise<Row[]>> = {
  small: smallFiles,
  large: latencyAndLargeOutput,
  dispatch,
  scan: scans,
};

if (import.meta.main) {
  const asked = Deno.args.filter((arg) => !arg.startsWith("--"));
  const unknown = asked.find((part) => !(part in PARTS));
  if (unknown !== undefined) {
    console.error(`error: There is no part '${unknown}': ${Object.keys(PARTS).join(", ")}`);
    Deno.exit(2);
  }
  const rows: Row[] = [];
  for (const part of asked.length > 0 ? asked : Object.keys(PARTS)) {
    const directory = Deno.makeTempDirSync({ prefix: "casparian-bench-" });
    try {
      rows.push(...await PARTS[part]!(directory));
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  }
  if (Deno.args.includes("--json")) console.log(JSON.stringify(rows, null, 2));
  else for (const row of rows) console.log(line(row));
}

function line({ what, value, unit, ratio, floor }: Row): string {
  const against = ratio === undefined ? "" : `${ratio} x of ${floor}`;
  return `${what.padEnd(44)} ${value.toLocaleString("en").padStart(9)} ${
    unit.padEnd(15)
  } ${against}`;
}
