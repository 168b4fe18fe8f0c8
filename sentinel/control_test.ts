import assert from "node:assert/strict";
import { type Method, METHODS } from "../protocol/control.ts";
import { Control } from "./control.ts";
import type { ErrorKind } from "../protocol/messages.ts";
import { Cluster } from "./core/cluster.ts";
import { activePlugin } from "./core/plugin.ts";
import type { Loop } from "./loop.ts";
import { Reader } from "./reader.ts";
import { Registry, sha256 } from "./registry.ts";
import { Roots } from "./roots.ts";
import { openSqliteStore } from "./store/sqlite.ts";
import { Intake } from "./intake.ts";
import { systemStatus } from "./status.ts";

const SOURCE = `MANIFEST = {"name": "p", "pattern": "*.csv", "topic": "t"}

class Handler:
    def execute(self, file_path):
        yield None
`;

/** A control over a real store and its reader thread; scanner and loop only listen. */
class ControlWorld {
  readonly #dir = Deno.makeTempDirSync();
  readonly #database = `${this.#dir}/db`;
  readonly store = openSqliteStore(this.#database, () => 1);
  readonly #reader = new Reader(this.#database);
  readonly queued: number[] = [];
  readonly #clock = { nowMs: () => 1 };
  readonly #loop = {
    storeProblem: null,
    jobsQueued: (ids: number[]) => this.queued.push(...ids),
    perform: () => {},
    pluginsChanged: () => {},
    signal: () => {},
  } as unknown as Loop;
  readonly #roots = new Roots({
    store: this.store,
    scanner: { setRoots: () => {}, scanNow: () => Promise.resolve([]) },
    clock: this.#clock,
    logger: { log: () => {} },
    mayRead: (directory) => !directory.startsWith("/secret"),
    onChanged: () => {},
  });
  readonly cluster = new Cluster(() => 0, sha256);
  readonly intake = new Intake(this.store, this.#clock, () => {});
  readonly control = new Control({
    store: this.store,
    reader: this.#reader,
    cluster: this.cluster,
    registry: new Registry(this.store, this.#clock),
    roots: this.#roots,
    loop: () => this.#loop,
    nowMs: () => 1,
    info: () => ({
      version: "1",
      pid: 1,
      address: "ipc://x",
      events_address: "ipc://y",
      database: "sqlite://z",
      started_at_ms: 1,
    }),
    status: () => {
      const { store, intake } = this;
      const parts = { store, intake, cluster: this.cluster, roots: this.#roots };
      return systemStatus({ ...parts, loop: this.#loop, nowMs: () => 1 });
    },
  });

  /** The result, held to its schema. */
  async call(method: Method, params: unknown = {}): Promise<Record<string, unknown>> {
    const reply = await this.control.answer({ id: 1, method, params });
    assert.equal(reply.error, undefined, `${method}: ${reply.error?.message}`);
    return METHODS[method].result.parse(reply.result) as Record<string, unknown>;
  }

  async refusal(method: string, params: unknown): Promise<string | undefined> {
    return (await this.control.answer({ id: 1, method, params })).error?.code;
  }

  /** One root, one active plugin, and a queued job for each name. */
  async seed(names: readonly string[]): Promise<void> {
    await this.call("roots.add", { directory: "/in", name: "in" });
    const file = { source_code: SOURCE, file_name: "p.py", lockfile_content: "lock" };
    const { plugin_id: pluginId } = await this.call("plugins.publish", file) as never;
    await this.store.commit([{ type: "plugin_activated", pluginId, nowMs: 1 }]);
    this.intake.setRoutes(await this.store.activePlugins(), [], []);
    const seen = names.map((name) => (
      { folder: "", name, size: 1, mtimeMs: 1, contentHash: name }
    ));
    await this.intake.observed({ rootId: 1, seen, deleted: [], unreadable: [], mended: [] });
  }

  /** A worker is there, as the core and the store know it. */
  async join(workerId: string): Promise<void> {
    const body = { capabilities: [], worker_id: workerId, features: ["attempts"], slots: 1 };
    const steps = this.cluster.onMessage(workerId, { name: "identify", jobId: 0, body }, 1);
    await this.store.commit(steps.flatMap(({ change }) => change ?? []));
  }

  /** As the loop does before a turn. */
  async activate(): Promise<void> {
    const active = await this.store.activePlugins();
    this.cluster.setPlugins(active.map((row) => activePlugin(row, new Map())));
  }

  /** Fails queued jobs of the plugin as the core would; resolves with why it is paused, if it is. */
  async fail(jobIds: readonly number[], errorKind: ErrorKind = "plugin"): Promise<string | null> {
    for (const jobId of jobIds) {
      const lease = { attempt: 1, workerId: "w", generation: jobId };
      const end = { jobId, attempt: 1, workerId: "w", nowMs: 5, metrics: {} };
      const strike = { pauseAfter: 2, lastFailure: `the last in job ${jobId}` };
      await this.store.commit([
        { type: "claim", jobId, ...lease, leaseUntilMs: 9, nowMs: 4 },
        {
          ...{ type: "fail", ...end, status: "FAILED", errorKind, message: "m" } as const,
          ...{ countsAs: "failure", strike, next: { state: "FAILED" } } as const,
        },
      ]);
    }
    await this.activate();
    return (await this.store.activePlugins())[0]!.paused;
  }

  async stop(): Promise<void> {
    this.#reader.stop();
    await this.store.close();
    await Deno.remove(this.#dir, { recursive: true });
  }
}

function test(behaviour: string, work: (world: ControlWorld) => Promise<void>): void {
  Deno.test(behaviour, async () => {
    const world = new ControlWorld();
    try {
      await work(world);
    } finally {
      await world.stop();
    }
  });
}

const RULE = { pattern: "*.txt", tag: "texts", priority: 0, enabled: true, description: "" };
/** In this order: what a call makes, a later one may name. */
const CALLS: readonly (readonly [Method, unknown?])[] = [
  ["system.info"],
  ["system.status"],
  ["jobs.list", { filter: { state: ["QUEUED"], plugin: "p", path: "a" } }],
  ["jobs.get", { job_id: 1 }],
  ["jobs.logs", { job_id: 1 }],
  ["jobs.prioritise", { job_ids: [1], priority: 3 }],
  ["jobs.cancel", { job_ids: [1] }],
  ["jobs.retry", { job_ids: [1], priority: 4 }],
  ["plugins.list", { all_versions: true }],
  ["plugins.get", { plugin_id: 1 }],
  ["plugins.publish", { source_code: SOURCE, file_name: "p.py" }],
  ["plugins.pause", { plugin: "p", reason: "a pause" }],
  ["plugins.set", { plugin: "p", weight: 2, jobs_max: null }],
  ["rules.create", { ...RULE, plugin: "p" }],
  ["rules.list"],
  ["rules.update", { ...RULE, id: 1, enabled: false }],
  ["rules.delete", { rule_id: 1 }],
  ["subscriptions.set", { plugin: "p", tag: "texts", subscribed: false }],
  ["topics.set", { topic: "t", mode: "append" }],
  ["topics.list"],
  ["roots.list"],
  ["roots.set", { name: "in", marker: "*.done" }],
  ["scan.run", { root: "in" }],
  ["files.list", { only: "arriving" }],
  ["outputs.list", { topic: "t" }],
  ["outputs.pending"],
  ["roots.limit", { name: "in", jobs_max: 2 }],
  ["workers.list"],
  ["workers.drain", { worker: "w", draining: true }],
  ["envs.list"],
  ["audit.list"],
  ["roots.remove", { name: "in" }],
];

test("each method answers what its schema accepts", async (world) => {
  await world.seed(["a.csv"]);
  await world.join("w");
  for (const [method, params] of CALLS) await world.call(method, params);
  const called = new Set(["roots.add", "outputs.promoted", ...CALLS.map(([method]) => method)]);
  assert.deepEqual(Object.keys(METHODS).filter((method) => !called.has(method)), []);
  const { entries } = await world.call("audit.list") as { entries: { action: string }[] };
  const actions = entries.map(({ action }) => action);
  for (
    const action of [
      "retry",
      "cancel",
      "pause",
      "rule removed",
      "topic",
      "root changed",
      "root removed",
    ]
  ) {
    assert.ok(actions.includes(action), `${action} is in the audit log`);
  }
});

test("what is not there, wrong or forbidden has its own code", async (world) => {
  await world.seed([]);
  const refusals: [string, string, unknown][] = [
    ["not_found", "jobs.explode", {}],
    ["not_found", "jobs.get", { job_id: 99 }],
    ["not_found", "plugins.get", { plugin_id: 99 }],
    ["not_found", "plugins.pause", { plugin: "q", reason: null }],
    ["not_found", "plugins.set", { plugin: "q", weight: 2 }],
    ["not_found", "roots.limit", { name: "elsewhere", jobs_max: 2 }],
    ["not_found", "workers.drain", { worker: "nobody", draining: true }],
    ["invalid", "plugins.set", { plugin: "p", weight: 0 }],
    ["invalid", "roots.limit", { name: "in", jobs_max: 0 }],
    ["invalid", "jobs.prioritise", { job_ids: [1] }],
    ["not_found", "rules.update", { ...RULE, id: 99 }],
    ["not_found", "rules.delete", { rule_id: 99 }],
    ["not_found", "roots.remove", { name: "elsewhere" }],
    ["not_found", "roots.set", { name: "elsewhere", settle_ms: 1 }],
    ["invalid", "roots.set", { name: "in", marker: "*" }],
    ["invalid", "roots.set", { name: "in", ignore: ["[a"] }],
    ["not_found", "scan.run", { root: "elsewhere" }],
    ["conflict", "roots.add", { directory: "/secret" }],
    ["invalid", "roots.add", { directory: "relative" }],
    ["invalid", "jobs.list", { filter: { plugni: "p" } }],
    ["invalid", "jobs.retry", {}],
    ["invalid", "topics.set", { topic: "t", uri: "ftp://x", mode: "append" }],
    ["invalid", "plugins.publish", { source_code: "x = 1", file_name: "p.py" }],
  ];
  for (const [code, method, params] of refusals) {
    assert.equal(await world.refusal(method, params), code, `${method} ${JSON.stringify(params)}`);
  }
});

test("cancel and retry by filter take all that match, in more than one step", async (world) => {
  const names = Array.from({ length: 1201 }, (_, n) => `${n}.csv`);
  await world.seed(names);
  assert.equal((await world.call("jobs.cancel", { filter: { plugin: "q" } })).cancelled, 0);
  assert.equal((await world.call("jobs.cancel", { filter: { plugin: "p" } })).cancelled, 1201);
  assert.equal((await world.call("jobs.cancel", { filter: {} })).cancelled, 0);
  const { retried, refused } = await world.call("jobs.retry", { filter: {} });
  assert.deepEqual([retried, refused], [1201, []]);
  assert.deepEqual([...new Set(world.queued)], [1], "the loop hears of them");
  const { jobs } = await world.call("system.status") as { jobs: Record<string, number> };
  assert.deepEqual([jobs.QUEUED, jobs.CANCELLED], [1201, 0]);
});

test("jobs are found by root, worker, kind of error and time, and retried so", async (world) => {
  await world.seed(["a.csv", "b.csv", "c.csv", "d.csv"]);
  await world.fail([1], "sink");
  await world.fail([2], "timeout");
  const found = async (filter: unknown) => {
    const { jobs } = await world.call("jobs.list", { filter }) as { jobs: { id: number }[] };
    return jobs.map(({ id }) => id).toSorted();
  };
  assert.deepEqual(await found({ worker: "w" }), [1, 2]);
  assert.deepEqual(await found({ worker: "another" }), []);
  assert.deepEqual(await found({ root: "in" }), [1, 2, 3, 4]);
  assert.deepEqual(await found({ root: "elsewhere" }), []);
  assert.deepEqual(await found({ since_ms: 5 }), [1, 2], "they ended then; the others were queued");
  assert.deepEqual(await found({ until_ms: 5 }), [3, 4]);
  const { retried } = await world.call("jobs.retry", {
    filter: { error_kind: "sink", worker: "w", since_ms: 5 },
    priority: 7,
  });
  assert.equal(retried, 1);
  const { state, priority } = await world.call("jobs.get", { job_id: 1 });
  assert.deepEqual([state, priority], ["QUEUED", 7]);
});

test("queued jobs are prioritised by filter, and what is not queued is passed over", async (world) => {
  await world.seed(["a.csv", "b.csv", "c.csv"]);
  await world.fail([1]);
  const reply = await world.call("jobs.prioritise", { filter: { root: "in" }, priority: 9 });
  assert.deepEqual(reply, { prioritised: 2, refused: [] });
  const { ahead } = await world.call("jobs.get", { job_id: 3 });
  assert.equal(ahead, 1);
});

test("a plugin that its failures paused holds its jobs, is no work in progress, and can go on", async (world) => {
  await world.seed(["a.csv", "b.csv", "c.csv", "d.csv"]);
  const status = async () =>
    await world.call("system.status") as Record<"held" | "waiting_for", string[]> & {
      plugins: { waiting_because: string | null }[];
    };
  assert.match((await status()).waiting_for.join(), /4 jobs that are queued/);
  assert.equal(await world.fail([1, 2]), "2 failures in a row, the last in job 2");
  const { held, waiting_for, plugins } = await status();
  assert.equal(
    held[0],
    "plugin 'p' is paused with 2 jobs queued: 2 failures in a row, the last in job 2; " +
      "to go on: casparian plugins resume p",
  );
  assert.doesNotMatch(waiting_for.join(), /queued/);
  assert.match(plugins[0]!.waiting_because!, /paused: 2 failures in a row/);
  const job = await world.call("jobs.get", { job_id: 3 });
  assert.match(job.waiting_because as string, /paused: 2 failures.*plugins resume p/);
  assert.equal(job.held, true);
  await world.call("plugins.pause", { plugin: "p", reason: null });
  const [plugin] = (await world.call("plugins.list")).plugins as Record<string, unknown>[];
  assert.deepEqual([plugin?.paused, plugin?.failures_in_row], [null, 0]);
  assert.deepEqual((await status()).held, []);
});

test("a plugin shows what counts: an operator's word, else MANIFEST's, else the default", async (world) => {
  await world.seed([]);
  const shown = async () => {
    const [plugin] = (await world.call("plugins.list")).plugins as Record<string, unknown>[];
    return [plugin?.weight, plugin?.jobs_max, plugin?.pause_after];
  };
  assert.deepEqual(await shown(), [1, null, 50]);
  const source_code = SOURCE.replace("}", ', "weight": 4, "pause_after": 9}');
  const published = await world.call("plugins.publish", {
    source_code,
    file_name: "p.py",
    lockfile_content: "lock",
  });
  const pluginId = published.plugin_id as number;
  await world.store.commit([{ type: "plugin_activated", pluginId, nowMs: 1 }]);
  assert.deepEqual(await shown(), [4, null, 9]);
  await world.call("plugins.set", { plugin: "p", weight: 2, jobs_max: 3, pause_after: 0 });
  assert.deepEqual(await shown(), [2, 3, 0]);
  await world.call("plugins.set", { plugin: "p", weight: null });
  assert.deepEqual(await shown(), [4, 3, 0]);
});

test("a worker that drains is shown so until it is resumed", async (world) => {
  await world.join("w");
  const shown = async () => {
    const { workers } = await world.call("workers.list") as { workers: { draining: boolean }[] };
    return workers.map(({ draining }) => draining);
  };
  assert.deepEqual(await shown(), [false]);
  await world.call("workers.drain", { worker: "w", draining: true });
  assert.deepEqual(await shown(), [true]);
  assert.deepEqual(await world.store.drainingWorkers(), ["w"]);
  await world.call("workers.drain", { worker: "w", draining: false });
  assert.deepEqual(await shown(), [false]);
});

test("a queued job says why it waits", async (world) => {
  await world.seed(["a.csv", "b.csv", "c.csv"]);
  const { waiting_because } = await world.call("jobs.get", { job_id: 1 });
  assert.equal(waiting_because, "this version of the plugin is not active", "the core knows none");
  await world.activate();
  const because = async (job_id: number) =>
    (await world.call("jobs.get", { job_id })).waiting_because;
  assert.equal(await because(1), "no worker is connected");
  await world.join("w");
  assert.equal(await because(1), "its environment is not built on any worker yet");
  const body = { env_hash: sha256("lock"), interpreter_path: "/python" };
  world.cluster.onMessage("w", { name: "env_ready", jobId: 0, body }, 1);
  assert.equal(await because(1), "it is next");
  assert.equal(await because(3), "behind 2 of the same plugin");
});
