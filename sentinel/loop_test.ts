import assert from "node:assert/strict";
import { decode, encode } from "../protocol/codec.ts";
import {
  type ErrorKind,
  FEATURES,
  type MessageBody,
  type MessageName,
  type MessageOf,
} from "../protocol/messages.ts";
import { ZmqContext } from "../protocol/zeromq.ts";
import { Cluster } from "./core/cluster.ts";
import { Intake } from "./intake.ts";
import { Loop } from "./loop.ts";
import { sha256 } from "./registry.ts";
import { openSqliteStore } from "./store/sqlite.ts";
import type { Change, Store } from "./store/store.ts";
import { Wire } from "./wire.ts";

const ENV = "env";

/** A real loop over real sockets, with one active plugin and a worker that the test plays. */
class LoopWorld {
  nowMs = 1_000_000;
  /** Runs before each commit; what it throws, the store says. */
  beforeCommit: (changes: readonly Change[]) => Promise<void> | void = () => {};
  readonly #dir = Deno.makeTempDirSync();
  readonly #clock = { nowMs: () => this.nowMs };
  readonly store: Store = this.#openStore();
  readonly wire = new Wire(`ipc://${this.#dir}/c`, `ipc://${this.#dir}/e`, this.#clock);
  readonly cluster = new Cluster(() => 0, sha256);
  readonly intake = new Intake(this.store, this.#clock, (ids) => this.loop.jobsQueued(ids));
  readonly loop: Loop = new Loop({
    store: this.store,
    wire: this.wire,
    cluster: this.cluster,
    intake: this.intake,
    clock: this.#clock,
    logger: { log: () => {} },
    onClient: () => Promise.resolve(),
    onRescan: () => {},
  });
  readonly #context = new ZmqContext();
  readonly #dealer = this.#context.socket("dealer", { lingerMs: 0 });
  #rootId = 0;

  #openStore(): Store {
    const store = openSqliteStore(":memory:", () => this.nowMs);
    const commit = async (changes: readonly Change[]) => {
      await this.beforeCommit(changes);
      return await store.commit(changes);
    };
    return { ...store, commit };
  }

  async start(): Promise<void> {
    const { store } = this;
    const root = { name: "in", directory: "/in", settleMs: 0, pollMs: 1 };
    this.#rootId = await store.addRoot(root);
    await store.saveLockfile({ envHash: ENV, lockfile: "l", requirements: [], python: null });
    const { pluginId } = await store.addPlugin({
      name: "p",
      version: "1",
      sourceCode: "source",
      sourceHash: "s",
      artifactHash: "a",
      envHash: ENV,
      patterns: ["*"],
      topics: ["t"],
      manifest: { memory_mb: 100, memory_mb_max: 400, pause_after: 2 },
      requirements: null,
      python: null,
      signature: "",
      publisher: "",
      nowMs: 1,
    });
    await store.commit([{ type: "plugin_activated", pluginId, nowMs: 1 }]);
    await this.loop.start();
    this.#dealer.connect(this.wire.address);
    const worker = { capabilities: [], worker_id: "w", slots: 1, envs: [ENV] };
    this.says("identify", 0, { ...worker, features: [...FEATURES] });
    await this.hears("heartbeat");
  }

  /** A file appears: a job for the plugin. */
  appears(name: string): Promise<void> {
    const seen = [{ folder: "", name, size: 1, mtimeMs: 1, contentHash: name }];
    const none = { deleted: [], unreadable: [], mended: [] };
    return this.intake.observed({ rootId: this.#rootId, seen, ...none });
  }

  says<N extends MessageName>(name: N, jobId: number, body: MessageBody<N>): void {
    this.#dealer.send(encode(name, jobId, body));
  }

  concludes(jobId: number): void {
    const body = {
      status: "SUCCESS" as const,
      metrics: {},
      artifacts: [],
      attempt: 1,
      outputs: [],
    };
    this.says("conclude", jobId, body);
  }

  fails(jobId: number, attempt: number, error_kind: ErrorKind): void {
    const body = { metrics: {}, artifacts: [], attempt, error_kind, error_message: "it died" };
    this.says("conclude", jobId, { status: "FAILED", ...body });
  }

  /** Lets two turns pass, in which nothing is to be dispatched: what is asked in each is answered. */
  async turns(): Promise<void> {
    for (let turn = 0; turn < 2; turn++) {
      this.concludes(99_999);
      await this.hears("ack");
    }
  }

  /** What the worker got and did not look at yet. */
  received(): MessageName[] {
    return this.#dealer.receive(100).map(({ frames }) => decode(frames).name);
  }

  /** The next message of that name; others but heartbeats are a mistake. */
  async hears<N extends MessageName>(name: N): Promise<MessageOf<N>> {
    for (;;) {
      const [message] = this.#dealer.receive(1).map(({ frames }) => decode(frames));
      if (message?.name === name) return message as MessageOf<N>;
      if (!message) await this.#dealer.readable();
      else assert.equal(message.name, "heartbeat");
    }
  }

  async stop(): Promise<void> {
    await this.loop.stop();
    await this.#context.close();
    await this.wire.close();
    await this.store.close();
    await Deno.remove(this.#dir, { recursive: true });
  }
}

function test(behaviour: string, work: (world: LoopWorld) => Promise<void>): void {
  Deno.test(behaviour, async () => {
    const world = new LoopWorld();
    try {
      await world.start();
      await work(world);
    } finally {
      world.beforeCommit = () => {};
      await world.stop();
    }
  });
}

// The clock stands still, so that no deadline of the core can be what wakes it before 2 s are over.
test("a job that is queued while the loop sleeps is dispatched at once", async (world) => {
  const startedMs = performance.now();
  await world.appears("a");
  const { body } = await world.hears("dispatch");
  assert.ok(performance.now() - startedMs < 1000);
  assert.deepEqual([body.file_path, body.attempt, body.content_hash], ["/in/a", 1, "a"]);
});

test("nothing is sent before its change is committed, and then it is sent once", async (world) => {
  let claims = 0;
  const problems: (string | null)[] = [];
  const seen: MessageName[] = [];
  world.beforeCommit = (changes) => {
    if (!changes.some(({ type }) => type === "claim")) return;
    problems.push(world.loop.storeProblem);
    seen.push(...world.received());
    if (++claims <= 2) throw new Error("database or disk is full");
  };
  await world.appears("a");
  const { jobId } = await world.hears("dispatch");
  assert.deepEqual(problems, [null, "database or disk is full", "database or disk is full"]);
  assert.ok(!seen.includes("dispatch"), "a second lies between two tries");
  assert.equal(world.loop.storeProblem, null);
  world.concludes(jobId);
  assert.equal((await world.hears("ack")).body.success, true);
});

test("after a stall of ours, heartbeats that waited are read before leases are judged", async (world) => {
  await world.appears("a");
  const { jobId } = await world.hears("dispatch");
  const stalled = Promise.withResolvers<void>();
  const goesOn = Promise.withResolvers<void>();
  world.beforeCommit = async () => {
    stalled.resolve();
    await goesOn.promise;
  };
  world.says("log", jobId, { attempt: 1, lines: [[1, 0, "hello"]] });
  await stalled.promise;
  world.says("heartbeat", 0, { status: "BUSY", active_job_ids: [jobId] });
  await world.wire.readable();
  world.nowMs += 60_000;
  goesOn.resolve();
  world.concludes(jobId);
  const { body } = await world.hears("ack");
  assert.deepEqual([body.success, body.message], [true, "committed"]);
});

// The jitter of this world is 0, so a retry is due at once.
test("a job that died for want of memory comes again with the limit that MANIFEST allows", async (world) => {
  const limitMb = ({ body }: MessageOf<"dispatch">) => body.limits!.memory_bytes! / 1024 / 1024;
  await world.appears("a");
  const first = await world.hears("dispatch");
  assert.equal(limitMb(first), 100);
  world.fails(first.jobId, 1, "memory");
  assert.equal((await world.hears("ack")).body.success, true);
  const second = await world.hears("dispatch");
  assert.deepEqual([second.jobId, second.body.attempt, limitMb(second)], [first.jobId, 2, 400]);
});

test("a plugin that its failures paused gets nothing more, until it is resumed", async (world) => {
  for (const name of ["a", "b", "c", "d", "e"]) await world.appears(name);
  const [first, second] = [await world.hears("dispatch"), await world.hears("dispatch")];
  world.fails(first.jobId, 1, "plugin");
  await world.hears("ack");
  const third = await world.hears("dispatch");
  world.fails(second.jobId, 1, "plugin");
  await world.hears("ack");
  await world.hears("dispatch"); // of the very turn whose commit paused the plugin
  world.fails(third.jobId, 1, "plugin");
  await world.hears("ack");
  await world.turns();
  const [plugin] = await world.store.activePlugins();
  assert.match(plugin!.paused!, /^2 failures in a row, the last in job \d+: plugin: it died$/);
  await world.store.pausePlugin("p", null);
  world.loop.pluginsChanged();
  const { body } = await world.hears("dispatch");
  assert.equal(body.file_path, "/in/e");
});

test("a limit that an operator sets counts from the next turn on", async (world) => {
  await world.store.limitRoot("in", 1);
  world.loop.pluginsChanged();
  await world.appears("a");
  await world.appears("b");
  const { jobId } = await world.hears("dispatch");
  await world.turns();
  await world.store.limitRoot("in", null);
  world.loop.pluginsChanged();
  assert.notEqual((await world.hears("dispatch")).jobId, jobId);
});

Deno.test("a worker that was drained is drained after a restart", async () => {
  const world = new LoopWorld();
  try {
    const row = { id: "w", host: "", version: "", slots: 1, sandbox: "", features: [] };
    await world.store.commit([{ type: "worker_seen", worker: row, nowMs: 1 }]);
    await world.store.drainWorker("w", true);
    await world.start();
    await world.appears("a");
    await world.turns();
    world.cluster.drain("w", false);
    world.loop.signal();
    await world.hears("dispatch");
  } finally {
    await world.stop();
  }
});
