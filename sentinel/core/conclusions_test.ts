import assert from "node:assert/strict";
import type { ErrorKind } from "../../protocol/messages.ts";
import type { RetryRules } from "./retry.ts";
import { ClusterWorld, job, jobs, plugin } from "./testing.ts";

function running(
  over: Parameters<typeof job>[1] = {},
  rules: Partial<RetryRules> = {},
): ClusterWorld {
  const none = { retries: 0, memoryMb: null, memoryMbMax: null };
  const world = new ClusterWorld(plugin(1, { rules: { ...none, ...rules } }));
  world.join("a", "w1");
  world.dispatches([job(1, over)]);
  return world;
}

const OUTPUT = { topic: "t", uri: "/out/x", rows: 3, bytes: 9, staged: "/s", generation: 1 };

Deno.test("a receipt is committed with its topics' modes and answered with what it retired", () => {
  const world = running();
  const outcome = { applied: true, retired: ["/out/old"] };
  world.concludes("a", 1, { attempt: 1, outputs: [OUTPUT] }, outcome);
  assert.deepEqual(world.change("complete")?.outputs, [{ ...OUTPUT, mode: "replace" }]);
  const [ack] = world.sent("ack");
  assert.deepEqual(ack?.body, {
    success: true,
    message: "committed",
    attempt: 1,
    retired: ["/out/old"],
  });
  assert.deepEqual(world.states(), ["COMPLETED"]);
});

Deno.test("a receipt of another attempt touches nothing but is answered as the store knows it", () => {
  const world = running({ attempt: 1 });
  world.concludes("a", 1, { attempt: 1 }, { applied: false });
  assert.deepEqual(world.changes.map(({ type }) => type), ["repeated_receipt"]);
  assert.equal(world.sent("ack")[0]?.body.success, false);
  assert.ok(world.cluster.lease(1), "attempt 2 still runs");
});

Deno.test("a receipt whose ACK was lost is answered the same way again", () => {
  const world = running();
  world.concludes("a", 1, { attempt: 1 });
  const accepted = { applied: true, retired: ["/out/old"] };
  world.concludes("a", 1, { attempt: 1 }, accepted);
  assert.deepEqual(world.changes, [
    { type: "repeated_receipt", jobId: 1, attempt: 1, workerId: "w1" },
  ]);
  const { success, retired } = world.sent("ack")[0]!.body;
  assert.deepEqual([success, retired], [true, ["/out/old"]]);
});

Deno.test("a receipt that the store finds late is answered as no success, without an event", () => {
  const world = running();
  world.concludes("a", 1, { attempt: 1 }, { applied: false });
  assert.equal(world.sent("ack")[0]?.body.success, false);
  assert.deepEqual(world.states(), []);
});

Deno.test("REJECTED queues the job again, counts nothing, and gives the worker a pause", () => {
  const world = running();
  world.concludes("a", 1, { status: "REJECTED", attempt: 1 });
  const { countsAs, next } = world.change("fail")!;
  assert.deepEqual([countsAs, next], ["nothing", { state: "QUEUED", notBeforeMs: 0 }]);
  const again = [job(1, { attempt: 1 })];
  assert.deepEqual(world.dispatches(again), []);
  world.nowMs += 199;
  assert.deepEqual(world.dispatches(again), []);
  world.nowMs += 1;
  assert.deepEqual(world.dispatches(again), ["1@a"]);
});

Deno.test("ABORTED by a draining worker gives the job back; by an operator it is CANCELLED", () => {
  const drained = running();
  drained.concludes("a", 1, { status: "ABORTED", attempt: 1 });
  assert.deepEqual(drained.change("fail")?.next, { state: "QUEUED", notBeforeMs: 0 });
  assert.equal(drained.change("fail")?.countsAs, "nothing");
  const cancelled = running();
  cancelled.cluster.cancel([1], cancelled.nowMs);
  cancelled.concludes("a", 1, { status: "ABORTED", attempt: 1 });
  const { next, errorKind } = cancelled.change("fail")!;
  assert.deepEqual([next, errorKind], [{ state: "CANCELLED" }, "aborted"]);
});

// An abort and a refusal, or a failure that would be retried, may cross on the wire.
for (const status of ["REJECTED", "FAILED"] as const) {
  Deno.test(`a cancelled job that ends as ${status} is not queued again`, () => {
    const world = running({}, { retries: 3 });
    world.cluster.cancel([1], world.nowMs);
    world.concludes("a", 1, { status, attempt: 1 });
    assert.deepEqual(world.change("fail")?.next, { state: "CANCELLED" });
    assert.notEqual(world.change("fail")?.errorKind, null, "null means that we dropped it");
    assert.deepEqual(world.states(), ["CANCELLED"]);
  });
}

Deno.test("a file that ends five workers is FAILED, and says so", () => {
  const fourth = running({ lostWorkers: 3 });
  fourth.ticks(8001);
  assert.equal(fourth.change("fail")?.next.state, "QUEUED");
  assert.deepEqual(fourth.states(), ["QUEUED"]);
  const fifth = running({ lostWorkers: 4 });
  fifth.ticks(8001);
  assert.equal(fifth.change("fail")?.next.state, "FAILED");
  assert.match(fifth.change("fail")!.message!, /killer file.*as 4 others before it/);
  assert.deepEqual(fifth.states(), ["FAILED"]);
});

Deno.test("a changed file is scanned again and counts nothing", () => {
  const world = running();
  world.concludes("a", 1, { status: "FAILED", attempt: 1, error_kind: "file_changed" });
  assert.equal(world.change("fail")?.countsAs, "nothing");
  assert.deepEqual(world.effects.filter(({ type }) => type === "rescan"), [
    { type: "rescan", filePath: "/data/1" },
  ]);
});

Deno.test("a plain v4 worker's artifacts become outputs, and nobody sends it an ACK", () => {
  const world = new ClusterWorld();
  world.joinPlain("a");
  world.dispatches(jobs(1, 1));
  world.concludes("a", 1, { metrics: { rows: 5 }, artifacts: [{ topic: "t", uri: "/out/x" }] });
  const [output] = world.change("complete")!.outputs;
  assert.deepEqual([output?.uri, output?.rows, output?.staged], ["/out/x", 5, ""]);
  assert.deepEqual(world.sent("ack"), []);
});

Deno.test("after a memory death the job runs once more with the limit that MANIFEST allows", () => {
  const rules = { memoryMb: 100, memoryMbMax: 400 };
  const first = running({}, rules);
  const died = { status: "FAILED", attempt: 1, error_kind: "memory", retryable: false } as const;
  first.concludes("a", 1, died);
  assert.equal(first.change("fail")?.countsAs, "nothing");
  assert.deepEqual(first.change("fail")?.next, {
    state: "QUEUED",
    notBeforeMs: first.nowMs,
    memoryMb: 400,
  });
  const second = running({ memoryMb: 400 }, rules);
  second.concludes("a", 1, died);
  assert.deepEqual(second.change("fail")?.next, { state: "FAILED" });
});

Deno.test("a failure that says something about the plugin is a strike, with what people should know", () => {
  const strikeOf = (error_kind: ErrorKind) => {
    const world = running();
    const error_message = "Traceback:\n  line 3\nKeyError: 'custmer_id'\n";
    world.concludes("a", 1, { status: "FAILED", attempt: 1, error_kind, error_message });
    return world.change("fail")?.strike;
  };
  assert.deepEqual(strikeOf("plugin"), {
    pauseAfter: 3,
    lastFailure: "the last in job 1: plugin: KeyError: 'custmer_id'",
  });
  assert.equal(strikeOf("sink"), null, "a full disk is not the plugin's fault");
  const world = running();
  world.ticks(8001);
  assert.equal(world.change("fail")?.strike, undefined, "nor is a lost worker");
});

Deno.test("a plugin that its failures paused is told to all who listen, and read again", () => {
  const world = running();
  const failed = { status: "FAILED", attempt: 1, error_kind: "plugin" } as const;
  world.concludes("a", 1, failed, { applied: true, paused: "3 failures in a row, the last …" });
  const event = world.effects.find((effect) =>
    effect.type === "event" && effect.topic === "plugin"
  );
  assert.deepEqual(event, {
    type: "event",
    topic: "plugin",
    event: {
      plugin_id: 1,
      plugin: "p1",
      status: "PAUSED",
      reason: "3 failures in a row, the last …",
    },
  });
  assert.ok(world.effects.some(({ type }) => type === "plugins_changed"));
  const note = world.effects.find((effect) => effect.type === "note");
  assert.match(note!.message, /'p1' is paused after 3 failures.*casparian plugins resume p1/);
});
