// A session among late, lost and broken messages, and after its worker or another one had slept or died.
import assert from "node:assert/strict";
import { Play } from "../tests/session_play.ts";

const ack = { success: true, message: "ok" };

// Goal: the network may hold an old DISPATCH back until the job is here in a newer attempt.
Deno.test("a late DISPATCH of an older attempt changes nothing, be the newer one running or done", () => {
  const play = new Play();
  play.welcome();
  const newer = play.dispatch(1, 3);
  play.dispatch(1, 2);
  assert.deepEqual(play.kinds(), ["run"]);
  play.succeed(newer);
  play.dispatch(1, 2);
  assert.deepEqual([play.kinds(), play.named("conclude").length], [["run"], 1]);
  play.receive("ack", { ...ack, attempt: 3 }, 1);
  assert.equal(play.kinds().at(-1), "promote");
});

// Goal: a worker that slept between the ACK and the rename brings back what others have replaced.
Deno.test("what the catalog has retired when it is reported is removed again", () => {
  const play = new Play();
  play.welcome();
  play.succeed(play.dispatch(1, 1));
  play.receive("ack", ack, 1);
  play.on({ type: "promoted", landed: [{ job_id: 1, uri: "/out/1" }] });
  const report = play.named("call").at(-1)!;
  play.receive("reply", { id: report.body.id, result: { ok: true, retired: ["/out/1"] } });
  assert.deepEqual(play.did.at(-1), { type: "retire", uris: ["/out/1"] });
});

// Goal: what a start that was just killed left staged is too young to be swept when the next one joins.
Deno.test("leftovers are asked for once more when a minute has passed, and then no more", () => {
  const play = new Play();
  play.welcome();
  play.on({ type: "promoted", landed: [] });
  const asked = () => play.named("call").filter(({ body }) => body.method === "outputs.pending");
  const wait = (ms: number) => {
    for (const endMs = play.nowMs + ms; play.nowMs < endMs;) {
      play.nowMs = Math.min(endMs, play.session.wakeAtMs);
      play.receive("heartbeat", { status: "ALIVE", features: ["receipt-ack"] });
      play.on({ type: "tick", progress: [] });
    }
  };
  play.forget();
  wait(60_000);
  assert.equal(asked().length, 0);
  wait(10_000);
  assert.equal(asked().length, 1);
  wait(200_000);
  assert.equal(asked().length, 1);
});

Deno.test("a DISPATCH that can not be used ends its job with the reason, but none that runs here", () => {
  const play = new Play();
  play.welcome();
  play.dispatch(1, 1);
  for (const jobId of [1, 2]) {
    play.on({ type: "malformed", reason: "no env_hash", answer: true, jobId });
  }
  const [refusal, ...others] = play.named("conclude");
  assert.deepEqual(others, []);
  assert.deepEqual([refusal?.jobId, refusal?.body.error_kind], [2, "environment"]);
  assert.match(refusal?.body.error_message ?? "", /no env_hash/);
  assert.deepEqual(play.kinds(), ["run"]);
});
