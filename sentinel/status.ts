/** `system.status`: the numbers of the store, and why nothing moves, in words. */
import type { Result } from "../protocol/control.ts";
import type { StateCounts } from "../protocol/records.ts";
import type { Cluster } from "./core/cluster.ts";
import { defaultSink } from "./core/plugin.ts";
import type { Intake } from "./intake.ts";
import type { Loop } from "./loop.ts";
import type { Roots } from "./roots.ts";
import { countsByPlugin, totalOf } from "./store/job_counts.ts";
import type { PluginRow, Store } from "./store/store.ts";

export interface StatusParts {
  store: Store;
  cluster: Cluster;
  intake: Intake;
  loop: Loop;
  roots: Roots;
  nowMs(): number;
}

export async function systemStatus(parts: StatusParts): Promise<Result<"system.status">> {
  const { store, cluster, loop, roots } = parts;
  await roots.refreshCounts();
  const counts = await store.counts();
  const byPlugin = countsByPlugin(counts.jobs);
  const settings = new Map((await store.topicConfigs()).map((config) => [config.topic, config]));
  const active = new Map((await store.activePlugins()).map((row) => [row.name, row]));
  const jobs = totalOf(byPlugin.values());
  const held = heldPlugins(byPlugin, active);
  const heldJobs = held.reduce((sum, { queued }) => sum + queued, 0);
  const waiting_for = await waitingFor(parts, { ...jobs, QUEUED: jobs.QUEUED - heldJobs });
  const { files, arriving, problems } = roots.files;
  return {
    now_ms: parts.nowMs(),
    idle: waiting_for.length === 0,
    waiting_for,
    held: held.map(heldText),
    jobs,
    plugins: [...byPlugin].map(([plugin, jobs]) => (
      { plugin, jobs, waiting_because: waitingBecause(parts, active.get(plugin), jobs) }
    )),
    topics: counts.topics.map((topic) => ({
      ...topic,
      uri: settings.get(topic.topic)?.uri ?? defaultSink(topic.topic).uri,
    })),
    files,
    file_problems: problems,
    arriving,
    workers: cluster.workers().filter(({ peer }) => peer !== null).length,
    store_problem: loop.storeProblem,
  };
}

interface Held {
  name: string;
  queued: number;
  reason: string;
}

/** Paused plugins that have jobs queued: they wait for a person. */
function heldPlugins(
  byPlugin: ReadonlyMap<string, StateCounts>,
  active: ReadonlyMap<string, PluginRow>,
): Held[] {
  return [...byPlugin].flatMap(([name, { QUEUED }]) => {
    const reason = active.get(name)?.paused ?? null;
    return reason === null || QUEUED === 0 ? [] : [{ name, queued: QUEUED, reason }];
  });
}

function heldText({ name, queued, reason }: Held): string {
  const jobs = `${queued.toLocaleString("en")} job${queued === 1 ? "" : "s"}`;
  return `plugin '${name}' is paused with ${jobs} queued: ${reason}; ` +
    `to go on: casparian plugins resume ${name}`;
}

/** Of a plugin as a whole; a paused one says so also when nothing is queued. */
function waitingBecause(
  { cluster, loop, nowMs }: StatusParts,
  plugin: PluginRow | undefined,
  { QUEUED }: StateCounts,
): string | null {
  if (!plugin || (QUEUED === 0 && plugin.paused === null)) return null;
  return cluster.waitingBecause(plugin.id, null, loop.storeProblem, nowMs())?.text ?? null;
}

/** @param jobs Without those that wait for a person. */
async function waitingFor(
  { store, cluster, intake, loop, roots }: StatusParts,
  jobs: Result<"system.status">["jobs"],
): Promise<string[]> {
  const staging = cluster.publishing.unfinished().map(({ name, status }) =>
    status === "PENDING"
      ? `plugin '${name}': its dependencies are being locked`
      : `plugin '${name}': its environment is being built`
  );
  const connected = cluster.workers().some(({ peer }) => peer !== null);
  const some = (count: number, text: string) => count > 0 ? [`${count} ${text}`] : [];
  const work = [
    ...staging,
    ...some(intake.backfilling, "plugins whose files are being taken in"),
    ...some(jobs.QUEUED, "jobs that are queued"),
    ...some(jobs.RUNNING, "jobs that run"),
    ...some(await store.unpromotedCount(), "outputs that are moved into place"),
  ];
  return [
    ...(loop.storeProblem === null ? [] : [`the store: ${loop.storeProblem}`]),
    ...roots.waitingFor(),
    ...work,
    ...(work.length > 0 && !connected ? ["a worker: none is connected"] : []),
  ];
}
