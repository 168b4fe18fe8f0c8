import assert from "node:assert/strict";
import { Play } from "../tests/session_play.ts";
import { failure, JobFailure, success } from "./conclusions.ts";
import { HEARTBEAT_MS } from "./link.ts";
import { RESEND_MS } from "./receipts.ts";

const ack = { success: true, message: "ok" };

Deno.test("a session identifies itself with all its features, and says nothing unasked to plain v4", () => {
  const play = new Play();
  assert.equal(play.sent.length, 1);
  const identity = play.named("identify")[0]!.body;
  assert.deepEqual(identity.capabilities, ["*"]);
  assert.ok(identity.features?.includes("receipt-ack"));
  assert.deepEqual(identity.envs, ["env1"]);
  play.forget();
  play.receive("reload", {});
  play.pass(10 * HEARTBEAT_MS);
  assert.deepEqual(play.sent, []);
});

Deno.test("every HEARTBEAT of a plain v4 sentinel is answered, without a field of ours", () => {
  const play = new Play();
  play.dispatch(7);
  play.forget();
  for (let i = 0; i < 3; i++) play.receive("heartbeat", { status: "ALIVE" });
  assert.equal(play.named("heartbeat").length, 3);
  assert.deepEqual(play.sent[0]!.body, {
    status: "BUSY",
    current_job_id: 7,
    active_job_count: 1,
    active_job_ids: [7],
  });
});

Deno.test("our sentinel hears a HEARTBEAT every two seconds, and no endless echo of its own", () => {
  const play = new Play();
  play.welcome();
  for (let i = 0; i < 100; i++) play.receive("heartbeat", { status: "ALIVE" });
  assert.equal(play.named("heartbeat").length, 0);
  play.pass(HEARTBEAT_MS);
  assert.equal(play.named("heartbeat").length, 1);
  play.pass(HEARTBEAT_MS);
  assert.equal(play.named("heartbeat").length, 2);
});

Deno.test("jobs beyond the slots and the queue are rejected, and a free slot takes the next one", () => {
  const play = new Play(1);
  play.welcome();
  const first = play.dispatch(1, 1);
  for (let id = 2; id <= 17; id++) play.dispatch(id, 1);
  assert.deepEqual(play.kinds(), ["run"]);
  const rejected = play.named("conclude");
  assert.deepEqual(rejected.map(({ jobId, body }) => [jobId, body.status]), [[17, "REJECTED"]]);
  play.on({ type: "ran", job: first });
  assert.deepEqual(play.did.map((effect) => effect.type === "run" && effect.job.id), [1, 2]);
});

Deno.test("a job being finished holds no slot, but at most four of them a slot", () => {
  const play = new Play(1);
  play.welcome();
  for (const id of [1, 2, 3, 4, 5]) play.on({ type: "ran", job: play.dispatch(id, 1) });
  const running = () => play.did.filter((effect) => effect.type === "run").map(({ job }) => job);
  assert.deepEqual(running().map(({ id }) => id), [1, 2, 3, 4]);
  play.succeed(running()[0]!);
  assert.deepEqual(running().map(({ id }) => id), [1, 2, 3, 4, 5]);
});

Deno.test("output is promoted on the ACK only, with what it retires, and reported in one CALL at a time", () => {
  const play = new Play();
  play.welcome();
  play.succeed(play.dispatch(1, 1));
  assert.deepEqual(play.kinds(), ["run"]);
  assert.equal(play.named("conclude")[0]!.body.attempt, 1);
  play.forget();
  play.receive("ack", { ...ack, attempt: 1, retired: ["/out/t/old.parquet"] }, 1);
  const [promote] = play.did;
  assert.ok(promote?.type === "promote");
  assert.deepEqual(promote.retired, ["/out/t/old.parquet"]);

  for (const job_id of [1, 2, 3]) play.on({ type: "promoted", landed: [{ job_id, uri: "/u" }] });
  const [call, second] = play.named("call");
  assert.equal(call?.body.method, "outputs.promoted");
  assert.equal(second, undefined);
  play.receive("reply", { id: call!.body.id, result: { ok: true } });
  const params = play.named("call")[1]?.body.params as { outputs: { job_id: number }[] };
  assert.deepEqual(params.outputs.map(({ job_id }) => job_id), [2, 3]);
});

Deno.test("a refused receipt discards its output", () => {
  const play = new Play();
  play.welcome();
  play.succeed(play.dispatch(1, 1));
  play.receive("ack", { success: false, message: "late" }, 1);
  assert.deepEqual(play.kinds(), ["run", "discard"]);
});

Deno.test("a job that yielded nothing still removes what it replaces", () => {
  const play = new Play();
  play.welcome();
  const job = play.dispatch(1, 1);
  play.on({ type: "ended", job, receipt: success(job, [], {}) });
  play.receive("ack", { ...ack, retired: ["/out/t/old.parquet"] }, 1);
  assert.deepEqual(play.kinds(), ["run", "promote"]);
});

Deno.test("under plain v4 output is promoted once its receipt is sent, which holds v4's fields only", () => {
  const play = new Play();
  play.receive("reload", {});
  play.succeed(play.dispatch(1));
  assert.deepEqual(play.kinds(), ["run", "promote"]);
  assert.deepEqual(play.named("conclude")[0]!.body, {
    status: "SUCCESS",
    metrics: { rows: 1 },
    artifacts: [{ topic: "t", uri: "/out/t/a.1.parquet" }],
  });
  play.on({ type: "promoted", landed: [{ job_id: 1, uri: "/out/t/a.1.parquet" }] });
  assert.deepEqual(play.named("call"), []);
});

Deno.test("a receipt goes again until it is acknowledged, and its job counts as active until then", () => {
  const play = new Play();
  play.welcome();
  play.succeed(play.dispatch(1, 1));
  for (let ms = 0; ms < 2 * RESEND_MS; ms += 1000) { // the sentinel lives, the ACK was lost
    play.pass(1000);
    play.receive("heartbeat", { status: "ALIVE" });
  }
  assert.equal(play.named("conclude").length, 3);
  assert.deepEqual(play.named("heartbeat").at(-1)!.body.active_job_ids, [1]);
  play.receive("ack", ack, 1);
  play.forget();
  play.receive("ack", ack, 1); // to the doubled receipts
  assert.deepEqual(play.did, []);
});

Deno.test("silence means a new socket and a new IDENTIFY, less and less often, while jobs go on", () => {
  const play = new Play();
  play.welcome();
  const job = play.dispatch(1, 1);
  play.forget();
  play.pass(3 * HEARTBEAT_MS - 1);
  assert.deepEqual(play.kinds(), []);
  play.pass(1);
  assert.deepEqual(play.kinds(), ["reconnect"]);
  assert.equal(play.named("identify").length, 1);
  play.pass(60_000);
  const reconnects = play.kinds().length;
  assert.ok(reconnects >= 8 && reconnects <= 12, `${reconnects} reconnects in a minute`);

  play.succeed(job);
  play.on({ type: "logged", jobId: 1, body: { attempt: 1, lines: [[1, 0, "hello"]] } });
  assert.deepEqual([play.named("conclude"), play.named("log")], [[], []]);
  play.forget();
  play.receive("heartbeat", { status: "ALIVE", features: ["receipt-ack"] });
  assert.deepEqual(play.sent.map(({ name }) => name), ["heartbeat", "log", "conclude", "call"]);
  assert.equal(play.named("call")[0]!.body.method, "outputs.pending");
});

Deno.test("a restarted sentinel gets one IDENTIFY and then the receipts it may have missed", () => {
  const play = new Play();
  play.welcome();
  play.succeed(play.dispatch(1, 1));
  play.forget();
  const stranger = { message: "Cannot take heartbeat as you did not IDENTIFY" };
  for (let i = 0; i < 3; i++) play.receive("err", stranger);
  assert.deepEqual(play.sent.map(({ name }) => name), ["identify"]);
  assert.deepEqual(play.kinds(), []);
  play.welcome();
  play.receive("ack", { ...ack, attempt: 1 }, 1);
  assert.deepEqual(play.kinds(), ["promote"]);
});

Deno.test("what the catalog holds unpromoted is recovered, but not what waits for its own ACK", () => {
  const play = new Play();
  play.receive("heartbeat", { status: "ALIVE", features: ["receipt-ack"] });
  const call = play.named("call")[0]!;
  assert.equal(call.body.method, "outputs.pending");
  play.succeed(play.dispatch(2, 1));
  const pending = (job_id: number) => ({ job_id, topic: "t", uri: "/u", staged: "/s" });
  play.receive("reply", { id: call.body.id, result: { outputs: [pending(1), pending(2)] } });
  const recover = play.did.find((effect) => effect.type === "recover");
  assert.deepEqual(recover?.pending.map(({ job_id }) => job_id), [1]);
});

Deno.test("a doubled DISPATCH changes nothing while the job runs and repeats the receipt afterwards", () => {
  const play = new Play();
  play.welcome();
  const job = play.dispatch(1, 1);
  play.dispatch(1, 1);
  assert.deepEqual(play.kinds(), ["run"]);
  play.succeed(job);
  play.dispatch(1, 1);
  assert.deepEqual(play.kinds(), ["run"]);
  assert.equal(play.named("conclude").length, 2);
});

Deno.test("a newer attempt kills the older one, whose outcome is never reported", () => {
  const play = new Play();
  play.welcome();
  const older = play.dispatch(1, 1);
  play.dispatch(1, 2);
  assert.deepEqual(play.kinds(), ["run", "kill", "run"]);
  play.succeed(older);
  assert.deepEqual(play.kinds(), ["run", "kill", "run", "discard"]);
  assert.deepEqual(play.named("conclude"), []);
});

Deno.test("a newer attempt discards the older one's receipt, and an ACK to that one is ignored", () => {
  const play = new Play();
  play.welcome();
  play.succeed(play.dispatch(1, 1));
  const newer = play.dispatch(1, 2);
  assert.deepEqual(play.kinds(), ["run", "discard", "run"]);
  play.succeed(newer);
  play.receive("ack", { success: false, message: "late", attempt: 1 }, 1);
  assert.deepEqual(play.kinds(), ["run", "discard", "run"]);
  play.receive("ack", { ...ack, attempt: 2 }, 1);
  assert.equal(play.kinds().at(-1), "promote");
});

Deno.test("ABORT kills a running job, ends a queued one at once, and leaves another attempt alone", () => {
  const play = new Play(1);
  play.welcome();
  play.dispatch(1, 1);
  play.dispatch(2, 1);
  play.receive("abort", { attempt: 9 }, 1);
  assert.deepEqual(play.kinds(), ["run"]);
  play.receive("abort", { attempt: 1 }, 1);
  assert.deepEqual(play.kinds(), ["run", "kill"]);
  play.receive("abort", {}, 2);
  const [aborted] = play.named("conclude");
  assert.deepEqual([aborted?.jobId, aborted?.body.status], [2, "ABORTED"]);
});

Deno.test("a drain returns queued jobs, refuses new ones, and ends when the last receipt is settled", () => {
  const play = new Play(1);
  play.welcome();
  const running = play.dispatch(1, 1);
  play.dispatch(2, 1);
  play.on({ type: "drain", limitMs: 30_000 });
  play.dispatch(3, 1);
  const rejected = play.named("conclude").map(({ jobId, body }) => [jobId, body.status]);
  assert.deepEqual(rejected, [[2, "REJECTED"], [3, "REJECTED"]]);
  play.succeed(running);
  play.receive("ack", ack, 1);
  play.on({ type: "promoted", landed: [{ job_id: 1, uri: "/u" }] });
  assert.ok(!play.kinds().includes("finished"));
  const call = play.named("call").at(-1)!;
  play.receive("reply", { id: call.body.id, result: { ok: true } });
  assert.equal(play.kinds().at(-1), "finished");
  assert.equal(play.session.wakeAtMs, Infinity);
});

Deno.test("a drain kills what is still running at its limit, and a second one shortens the limit", () => {
  const play = new Play(1);
  play.welcome();
  const job = play.dispatch(1, 1);
  play.on({ type: "drain", limitMs: 30_000 });
  assert.deepEqual(play.kinds(), ["run"]);
  play.on({ type: "drain", limitMs: 0 });
  assert.deepEqual(play.kinds(), ["run", "kill"]);
  const cause = new JobFailure("aborted", "drained", true);
  play.on({ type: "ended", job, receipt: failure(job, cause) });
  assert.ok(!play.kinds().includes("finished"));
  play.pass(5000); // no ACK comes
  assert.equal(play.kinds().at(-1), "finished");
});

Deno.test("a drain waits for an older attempt that is being killed, and discards its stage", () => {
  const play = new Play();
  play.welcome();
  const older = play.dispatch(1, 1);
  const newer = play.dispatch(1, 2);
  play.on({ type: "drain", limitMs: 30_000 });
  play.succeed(newer);
  play.receive("ack", { success: false, message: "late", attempt: 2 }, 1);
  assert.ok(!play.kinds().includes("finished"));
  play.succeed(older);
  assert.deepEqual(play.kinds().slice(-2), ["discard", "finished"]);
});

Deno.test("an idle worker's drain ends at once", () => {
  const play = new Play();
  play.on({ type: "drain", limitMs: 30_000 });
  assert.deepEqual(play.kinds(), ["finished"]);
});

Deno.test("a failed environment is told by a field to ours and by ERR to plain v4", () => {
  const broken = { env_hash: "e", interpreter_path: "", error: "no such package" };
  const plain = new Play();
  plain.on({ type: "environment", body: broken });
  assert.deepEqual(plain.named("err")[0]?.body, { message: "no such package" });
  const ours = new Play();
  ours.welcome();
  ours.on({ type: "environment", body: broken });
  assert.deepEqual(ours.named("env_ready")[0]?.body, broken);
});

Deno.test("malformed messages are answered once a second, and a broken ERR never", () => {
  const play = new Play();
  play.on({ type: "malformed", reason: "broken ERR", answer: false, jobId: 0 });
  assert.deepEqual(play.named("err"), []);
  const bad = { type: "malformed", reason: "bad", answer: true, jobId: 0 } as const;
  for (let i = 0; i < 10; i++) play.on(bad);
  assert.equal(play.named("err").length, 1);
  play.nowMs += 1000;
  play.on(bad);
  assert.equal(play.named("err").length, 2);
});
