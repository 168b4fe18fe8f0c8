/** A job filter as SQL: what `jobs.list` shows is what `jobs.retry` and `jobs.cancel` would take. */
import type { JobFilter } from "../../protocol/control.ts";

const CHANGED_AT = "coalesce(j.finished_at_ms, j.started_at_ms, j.created_at_ms)";
const RAN_ON = `EXISTS (SELECT 1 FROM job_attempts a
  WHERE a.job_id = j.id AND a.worker_id = :worker)`;

/** @param after Only jobs with a smaller id: the newest come first. */
export function jobFilter(
  filter: JobFilter,
  after?: number,
): { where: string; values: Record<string, string | number> } {
  const parts: string[] = [];
  const values: Record<string, string | number> = {};
  const add = (part: string, more: Record<string, string | number>) => {
    parts.push(part);
    Object.assign(values, more);
  };
  if (after !== undefined) add("j.id < :after", { after });
  if (filter.state && filter.state.length > 0) {
    const names = filter.state.map((state, index) => [`state${index}`, state] as const);
    add(`j.state IN (${names.map(([name]) => `:${name}`)})`, Object.fromEntries(names));
  }
  if (filter.plugin !== undefined) add("j.plugin_name = :plugin", { plugin: filter.plugin });
  if (filter.error_kind !== undefined) add("j.error_kind = :kind", { kind: filter.error_kind });
  // instr and not LIKE: a path may hold % and _.
  if (filter.path !== undefined) {
    add("instr(f.folder || '/' || f.name, :path) > 0", { path: filter.path });
  }
  if (filter.root !== undefined) add("r.name = :root", { root: filter.root });
  if (filter.worker !== undefined) add(RAN_ON, { worker: filter.worker });
  if (filter.since_ms !== undefined) add(`${CHANGED_AT} >= :since`, { since: filter.since_ms });
  if (filter.until_ms !== undefined) add(`${CHANGED_AT} < :until`, { until: filter.until_ms });
  return { where: parts.length === 0 ? "TRUE" : parts.join(" AND "), values };
}
