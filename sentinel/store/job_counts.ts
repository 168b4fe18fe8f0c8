/** Job counts as the store keeps them, one row per plugin and state, turned into one record per plugin. */
import type { StateCounts } from "../../protocol/records.ts";
import type { JobCount } from "./store.ts";

export function noJobs(): StateCounts {
  return { QUEUED: 0, RUNNING: 0, COMPLETED: 0, FAILED: 0, CANCELLED: 0 };
}

export function countsByPlugin(
  rows: readonly JobCount[],
): Map<string, StateCounts> {
  const counts = new Map<string, StateCounts>();
  for (const { plugin_name, state, jobs } of rows) {
    if (!counts.has(plugin_name)) counts.set(plugin_name, noJobs());
    counts.get(plugin_name)![state] = jobs;
  }
  return counts;
}

export function totalOf(all: Iterable<StateCounts>): StateCounts {
  const total = noJobs();
  for (const counts of all) {
    for (const state of Object.keys(total) as (keyof StateCounts)[]) total[state] += counts[state];
  }
  return total;
}
