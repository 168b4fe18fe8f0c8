import assert from "node:assert/strict";
import { type Method, METHODS } from "../protocol/control.ts";
import { Control } from "./control.ts";
import { Cluster } from "./core/cluster.ts";
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
  } as unknown as Loop;
  readonly #roots = new Roots({
    store: this.store,
    scanner: { setRoots: () => {}, scanNow: () => Promise.resolve([]) },
    clock: this.#clock,
    logger: { log: () => {} },
    mayRead: (directory) => !directory.startsWith("/secret"),
    onChanged: () => {},
  });
  readonly #cluster = new Cluster(() => 0, sha256);
  readonly intake = new Intake(this.store, this.#clock, () => {});
  readonly control = new Control({
    store: this.store,
    reader: this.#reader,
    cluster: this.#cluster,
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
      const parts = { store, intake, cluster: this.#cluster, roots: this.#roots };
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
  ["jobs.cancel", { job_ids: [1] }],
  ["jobs.retry", { job_ids: [1] }],
  ["plugins.list", { all_versions: true }],
  ["plugins.get", { plugin_id: 1 }],
  ["plugins.publish", { source_code: SOURCE, file_name: "p.py" }],
  ["plugins.pause", { plugin: "p", reason: "a pause" }],
  ["rules.create", { ...RULE, plugin: "p" }],
  ["rules.list"],
  ["rules.update", { ...RULE, id: 1, enabled: false }],
  ["rules.delete", { rule_id: 1 }],
  ["subscriptions.set", { plugin: "p", tag: "texts", subscribed: false }],
  ["topics.set", { topic: "t", mode: "append" }],
  ["topics.list"],
  ["roots.list"],
  ["scan.run", { root: "in" }],
  ["files.list", { only: "all" }],
  ["outputs.list", { topic: "t" }],
  ["outputs.pending"],
  ["workers.list"],
  ["envs.list"],
  ["audit.list"],
  ["roots.remove", { name: "in" }],
];

test("each method answers what its schema accepts", async (world) => {
  await world.seed(["a.csv"]);
  for (const [method, params] of CALLS) await world.call(method, params);
  const called = new Set(["roots.add", "outputs.promoted", ...CALLS.map(([method]) => method)]);
  assert.deepEqual(Object.keys(METHODS).filter((method) => !called.has(method)), []);
  const { entries } = await world.call("audit.list") as { entries: { action: string }[] };
  const actions = entries.map(({ action }) => action);
  for (const action of ["retry", "cancel", "pause", "rule removed", "topic", "root removed"]) {
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
    ["not_found", "rules.update", { ...RULE, id: 99 }],
    ["not_found", "rules.delete", { rule_id: 99 }],
    ["not_found", "roots.remove", { name: "elsewhere" }],
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

test("a queued job says why it waits", async (world) => {
  await world.seed(["a.csv"]);
  const { waiting_because } = await world.call("jobs.get", { job_id: 1 });
  assert.equal(waiting_because, "this version of the plugin is not active");
});
