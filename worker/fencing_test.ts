/**
 * A worker that sleeps through its lease, between any two of its steps, against the one that did its job
 * meanwhile: two real processes on one output folder, stopped and continued by signals.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { MessageBody, Output } from "../protocol/messages.ts";
import { until } from "../tests/processes.ts";
import { RealWorker, withRoot } from "../tests/real_worker.ts";

/** Rows that tell which attempt wrote them, and how many: so the files of two attempts differ. */
const rowsOf = (attempt: number) => `
import os, time
class Handler:
    def execute(self, file_path):
        print("up", flush=True)
        yield {"attempt": [${attempt}] * ${attempt * 10}}
`;
const ENDLESS_ROWS = `
import time
class Handler:
    def execute(self, file_path):
        yield {"text": ["x" * 1000] * 3000}
        print("up", flush=True)
        time.sleep(600)
`;

/** PROTOCOL.md 1.7: a lease that no HEARTBEAT renews ends after it. */
const LEASE_MS = 8000;

interface Pair {
  readonly sleeper: RealWorker;
  readonly successor: RealWorker;
}

async function withPair(use: (pair: Pair) => Promise<void>): Promise<void> {
  await withRoot(async (root) => {
    await using sleeper = await RealWorker.start(root, { name: "s" });
    await using successor = await RealWorker.start(root, { name: "z" });
    try {
      for (const { sentinel } of [sleeper, successor]) await sentinel.next("heartbeat");
      await use({ sleeper, successor });
    } catch (error) {
      console.error(sleeper.said, successor.said);
      throw error;
    }
  });
}

function dispatch(worker: RealWorker, attempt: number, generation: number): void {
  worker.dispatch(1, rowsOf(attempt), { attempt, generation });
}

async function output(worker: RealWorker): Promise<Output> {
  const { status, error_message, outputs } = await worker.concluded(1);
  assert.equal(status, "SUCCESS", error_message);
  return outputs![0]!;
}

function ack(worker: RealWorker, attempt: number, more: Partial<MessageBody<"ack">> = {}): void {
  worker.sentinel.send("ack", 1, { success: true, message: "committed", attempt, ...more });
}

/** The successor runs the job to its end; its output is what must stay. */
async function succeed(worker: RealWorker, generation: number, retired: string[] = []) {
  dispatch(worker, 2, generation);
  const { uri } = await output(worker);
  ack(worker, 2, { retired });
  await worker.sentinel.next("call", ({ body }) => body.method === "outputs.promoted");
  return { uri, bytes: await Deno.readFile(uri) };
}

/** It wakes, is told that its receipt is late, and has nothing left to show. */
async function wakesTooLate({ sleeper }: Pair): Promise<void> {
  sleeper.signal("SIGCONT");
  await until("its stage is empty", async () => {
    // Again and again: what was sent to its old connection is lost, if it makes a new one.
    ack(sleeper, 1, { success: false, message: "late: not this lease" });
    return (await sleeper.staged()).length === 0;
  });
}

async function onlyShows(worker: RealWorker, kept: { uri: string; bytes: Uint8Array }) {
  assert.deepEqual(await worker.visible(), [kept.uri.split("/").at(-1)]);
  assert.deepEqual(await Deno.readFile(kept.uri), kept.bytes);
}

Deno.test("stopped before the ACK it can not overwrite its successor's output of the same name", async () => {
  await withPair(async (pair) => {
    const { sleeper, successor } = pair;
    dispatch(sleeper, 1, 5);
    const mine = await output(sleeper);
    await sleeper.freeze();
    const kept = await succeed(successor, 5);
    assert.equal(mine.uri, kept.uri); // an automatic retry keeps its generation
    await wakesTooLate(pair);
    await onlyShows(successor, kept);
  });
});

Deno.test("stopped at any moment of a job it promotes nothing, and leaves nothing", async () => {
  await withPair(async (pair) => {
    const { sleeper, successor } = pair;
    const seed = Deno.env.get("FENCING_SEED") ?? String(Math.floor(Math.random() * 2 ** 31));
    let state = Number(seed);
    const below = (most: number) => (state = (state * 48271 + 11) % 2147483647) % most;
    console.log("FENCING_SEED", seed);
    dispatch(sleeper, 1, 1); // Python is warm then
    await output(sleeper);
    ack(sleeper, 1, { success: false, message: "late" });
    for (let round = 2; round < 14; round++) {
      dispatch(sleeper, 1, round);
      await new Promise((resolve) => setTimeout(resolve, below(120)));
      await sleeper.freeze();
      const before = await successor.visible();
      const kept = await succeed(
        successor,
        round,
        before.map((name) => join(successor.output, "t", name)),
      );
      sleeper.signal("SIGCONT");
      await output(sleeper);
      await wakesTooLate(pair);
      await onlyShows(successor, kept);
    }
  });
});

// Goal: its ACK was sent, so it will rename: by then a later generation is live.
Deno.test("stopped between the ACK and the rename it brings nothing back that was replaced", async () => {
  await withPair(async ({ sleeper, successor }) => {
    dispatch(sleeper, 1, 5);
    const { uri } = await output(sleeper);
    await sleeper.freeze();
    ack(sleeper, 1);
    const kept = await succeed(successor, 6, [uri]);
    sleeper.sentinel.retired = [uri];
    sleeper.signal("SIGCONT");
    const { body } = await sleeper.sentinel.next(
      "call",
      ({ body }) => body.method === "outputs.promoted",
    );
    assert.deepEqual(body.params, { outputs: [{ job_id: 1, uri }] });
    await until("what it brought back is gone", async () => (await sleeper.visible()).length === 1);
    await onlyShows(successor, kept);
    assert.deepEqual(await sleeper.staged(), []);
  });
});

Deno.test("stopped between the rename and the report its output stays, reported by whoever comes", async () => {
  await withPair(async ({ sleeper }) => {
    dispatch(sleeper, 1, 5);
    const { topic, uri, staged } = await output(sleeper);
    // What it has to remove before it reports gives time to stop it there.
    const folder = join(sleeper.output, "t");
    const retired = Array.from({ length: 4000 }, (_, n) => join(folder, `none${n}.parquet`));
    ack(sleeper, 1, { retired });
    await until("it is renamed", () => Deno.stat(uri).then(() => true, () => false));
    await sleeper.freeze();
    const promoted = ({ body }: { body: MessageBody<"call"> }) =>
      body.method === "outputs.promoted";
    const isReported = () => sleeper.sentinel.heard.some((m) => m.name === "call" && promoted(m));
    assert.equal(isReported(), false);
    const bytes = await Deno.readFile(uri);
    await using next = await RealWorker.start(sleeper.root, { name: "n" });
    next.sentinel.pending = [{ job_id: 1, topic, uri, staged }];
    await next.sentinel.next("call", promoted);
    assert.deepEqual(await Deno.readFile(uri), bytes);
    sleeper.signal("SIGCONT");
    await sleeper.sentinel.next("call", promoted);
    assert.deepEqual(await Deno.readFile(uri), bytes);
  });
});

Deno.test("a slow worker that is told it lost its lease kills its job, and promotes nothing", async () => {
  await withPair(async (pair) => {
    const { sleeper, successor } = pair;
    sleeper.dispatch(1, ENDLESS_ROWS, { attempt: 1, generation: 5 });
    await sleeper.sentinel.next("log");
    await until("it is staged", async () => (await sleeper.staged()).length === 1);
    await sleeper.freeze();
    const kept = await succeed(successor, 5);
    await new Promise((resolve) => setTimeout(resolve, LEASE_MS));
    sleeper.signal("SIGCONT");
    await sleeper.sentinel.next("identify"); // it has heard nothing for so long that it connects anew
    const { body } = await sleeper.sentinel.next("heartbeat", ({ body }) => body.status === "BUSY");
    assert.deepEqual(body.active_job_ids, [1]);
    sleeper.sentinel.send("abort", 1, { attempt: 1 });
    assert.equal((await sleeper.concluded(1)).status, "ABORTED");
    assert.deepEqual(await sleeper.staged(), []);
    await onlyShows(successor, kept);
  });
});
