import assert from "node:assert/strict";
import type { MessageBody } from "../protocol/messages.ts";
import { heartbeat } from "./heartbeat.ts";
import { Session } from "./session.ts";
import type { SessionEvent } from "./session_events.ts";

/** A session, and the heartbeats that come of an event. */
function beating(): { session: Session; beats(event: SessionEvent): MessageBody<"heartbeat">[] } {
  const random = { next: () => 0.5 };
  const session = new Session({ identity: {}, slots: 1, environments: [], random }, 0);
  const beats = (event: SessionEvent) =>
    session.handle(event, 1).flatMap((effect) =>
      effect.type === "send" && effect.name === "heartbeat" ? [effect.body] : []
    );
  return { session, beats };
}

const welcome = (features?: string[]): SessionEvent => ({
  type: "message",
  message: {
    name: "heartbeat",
    jobId: 0,
    body: { status: "ALIVE", ...(features ? { features } : {}) },
  },
});

Deno.test("heartbeat() tells ours what is warm and whether it drains, and plain v4 nothing of it", () => {
  const extras = { progress: [], warm: ["e"], draining: true };
  const { warm_envs, draining } = heartbeat([7], extras);
  assert.deepEqual([warm_envs, draining], [["e"], true]);
  assert.deepEqual(Object.keys(heartbeat([7], undefined)).toSorted(), [
    "active_job_count",
    "active_job_ids",
    "current_job_id",
    "status",
  ]);
  assert.equal("draining" in heartbeat([], { ...extras, draining: false }), false);
});

Deno.test("a worker that begins to drain tells its sentinel at once", () => {
  const ours = beating();
  ours.beats({ type: "start" });
  ours.beats(welcome(["attempts"]));
  ours.beats({
    type: "message",
    message: {
      name: "dispatch",
      jobId: 1,
      body: {
        ...{ plugin_name: "p", file_path: "/f", sinks: [], file_version_id: 1, env_hash: "e" },
        ...{ source_code: "", attempt: 1 },
      },
    },
  });
  const [beat] = ours.beats({ type: "drain", limitMs: 1000 });
  assert.deepEqual([beat?.draining, beat?.active_job_ids], [true, [1]]);
});

Deno.test("a plain v4 sentinel hears no HEARTBEAT unasked, also not of a drain", () => {
  const plain = beating();
  plain.beats({ type: "start" });
  plain.beats(welcome());
  assert.deepEqual(plain.beats({ type: "drain", limitMs: 1000 }), []);
});

Deno.test("what the last tick found warm is told until the next one", () => {
  const ours = beating();
  ours.beats({ type: "start" });
  ours.beats(welcome(["attempts"]));
  ours.session.handle({ type: "tick", progress: [], warm: ["e"] }, 1);
  const [beat] = ours.session.handle({ type: "tick", progress: [], warm: ["e", "f"] }, 5000)
    .flatMap((effect) =>
      effect.type === "send" && effect.name === "heartbeat" ? [effect.body] : []
    );
  assert.deepEqual(beat?.warm_envs, ["e", "f"]);
});
