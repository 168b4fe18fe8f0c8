/** `system.status`: the numbers of the store, and why nothing moves, in words. */
import type { Result } from "../protocol/control.ts";
import type { Cluster } from "./core/cluster.ts";
import { defaultSink } from "./core/plugin.ts";
import type { Intake } from "./intake.ts";
import type { Loop } from "./loop.ts";
import type { Roots } from "./roots.ts";
import { countsByPlugin, totalOf } from "./store/job_counts.ts";
import type { Store } from "./store/store.ts";

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
  const active = new Map((await store.activePlugins()).map(({ name, id }) => [name, id]));
  const waiting_for = await waitingFor(parts, totalOf(byPlugin.values()));
  const { files, problems } = roots.files;
  return {
    now_ms: parts.nowMs(),
    idle: waiting_for.length === 0,
    waiting_for,
    jobs: totalOf(byPlugin.values()),
    plugins: [...byPlugin].map(([plugin, jobs]) => {
      const pluginId = active.get(plugin);
      const queued = jobs.QUEUED > 0 && pluginId !== undefined;
      return { plugin, jobs, waiting_because: queued ? cluster.waitingBecause(pluginId) : null };
    }),
    topics: counts.topics.map((topic) => ({
      ...topic,
      uri: settings.get(topic.topic)?.uri ?? defaultSink(topic.topic).uri,
    })),
    files,
    file_problems: problems,
    workers: cluster.workers().filter(({ peer }) => peer !== null).length,
    store_problem: loop.storeProblem,
  };
}

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
