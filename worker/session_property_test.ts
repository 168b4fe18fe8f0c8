import assert from "node:assert/strict";
import fc from "fast-check";
import type { Message } from "../protocol/messages.ts";
import { success } from "./conclusions.ts";
import type { Job } from "./job_slots.ts";
import { Session } from "./session.ts";
import type { SessionEvent } from "./session_events.ts";

const SLOTS = 2;
const JOB_IDS = 4;

/** One thing that happens; numbers pick among what is there. */
type Act =
  | { do: "dispatch" | "again" | "ack" | "refuse" | "abort"; id: number }
  | { do: "ran" | "end" | "promoted"; pick: number }
  | { do: "pass"; ms: number }
  | { do: "beat" | "stranger" };

const id = fc.integer({ min: 1, max: JOB_IDS });
const pick = fc.nat(20);
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ do: fc.constantFrom("dispatch", "again", "ack", "refuse", "abort"), id }),
  fc.record({ do: fc.constantFrom("ran", "end", "end", "promoted"), pick }),
  fc.record({ do: fc.constant("pass"), ms: fc.nat(8000) }),
  fc.record({ do: fc.constantFrom("beat", "stranger") }),
) as fc.Arbitrary<Act>;

/** Plays the worker's parts and the sentinel, and counts what becomes of each attempt. */
class Play {
  nowMs = 1_000_000;
  readonly attempts = new Map<number, number>();
  readonly running: Job[] = [];
  readonly free = new Set<Job>();
  readonly ended = new Set<string>();
  readonly settled = new Map<string, number>();
  promoting = 0;
  finished = false;
  readonly session = new Session(
    { identity: {}, slots: SLOTS, environments: [], random: { next: () => 0.5 } },
    this.nowMs,
  );

  on(event: SessionEvent): void {
    for (const effect of this.session.handle(event, this.nowMs)) {
      switch (effect.type) {
        case "run":
          this.running.push(effect.job);
          break;
        case "promote":
          this.promoting++;
          this.settle(effect.receipt.staged);
          break;
        case "recover":
          this.promoting++;
          break;
        case "discard":
          this.settle(effect.staged);
          break;
        case "finished":
          this.finished = true;
      }
    }
    const holding = this.running.filter((job) => !this.free.has(job) && !this.killed(job));
    assert.ok(holding.length <= SLOTS, `${holding.length} jobs hold ${SLOTS} slots`);
  }

  /** A newer attempt is known: the older one's process is being killed. */
  killed(job: Job): boolean {
    return this.attempts.get(job.id) !== job.attempt;
  }

  settle(staged: readonly { uri: string }[]): void {
    for (const { uri } of staged) this.settled.set(uri, (this.settled.get(uri) ?? 0) + 1);
  }

  receive(message: Message): void {
    this.on({ type: "message", message });
  }

  dispatch(jobId: number, attempt: number): void {
    this.attempts.set(jobId, attempt);
    this.receive({ name: "dispatch", jobId, body: { attempt, sinks: [] } as never });
  }

  end(job: Job): void {
    this.running.splice(this.running.indexOf(job), 1);
    const uri = `${job.id}.${job.attempt}`;
    this.ended.add(uri);
    const staged = { topic: "t", uri, staged: `${uri}.staged`, rows: 1, bytes: 1, generation: 1 };
    this.on({ type: "ended", job, receipt: success(job, [staged], {}) });
  }

  act(act: Act): void {
    switch (act.do) {
      case "dispatch":
        return this.dispatch(act.id, (this.attempts.get(act.id) ?? 0) + 1);
      case "again": { // only what it has not answered is ever sent twice
        const attempt = this.attempts.get(act.id) ?? 1;
        return this.settled.has(`${act.id}.${attempt}`)
          ? undefined
          : this.dispatch(act.id, attempt);
      }
      case "ack":
      case "refuse": {
        const body = { success: act.do === "ack", message: "", attempt: this.attempts.get(act.id) };
        return this.receive({ name: "ack", jobId: act.id, body: body as never });
      }
      case "abort":
        return this.receive({ name: "abort", jobId: act.id, body: {} });
      case "ran": {
        const job = this.running[act.pick % Math.max(1, this.running.length)];
        if (!job || this.free.has(job)) return;
        this.free.add(job);
        return this.on({ type: "ran", job });
      }
      case "end": {
        const job = this.running[act.pick % Math.max(1, this.running.length)];
        return job && this.end(job);
      }
      case "promoted":
        if (this.promoting === 0) return;
        this.promoting--;
        return this.on({ type: "promoted", landed: [] });
      case "pass":
        this.nowMs += act.ms;
        return this.on({ type: "tick", progress: [] });
      case "beat":
        return this.receive(beat);
      case "stranger": {
        const message = "Cannot take heartbeat as you did not IDENTIFY";
        return this.receive({ name: "err", jobId: 0, body: { message } });
      }
    }
  }
}

const beat: Message = {
  name: "heartbeat",
  jobId: 0,
  body: { status: "ALIVE", features: ["receipt-ack"] },
};

Deno.test("whatever happens, slots hold, and each output is promoted or discarded exactly once", () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 120, size: "max" }), (acts) => {
      const play = new Play();
      play.on({ type: "start" });
      play.receive(beat);
      for (const act of acts) play.act(act);

      // Then all comes to rest: jobs end, the sentinel answers what is still open, the worker drains.
      play.receive(beat);
      play.on({ type: "drain", limitMs: 60_000 });
      while (play.running[0]) play.end(play.running[0]);
      for (const [jobId, attempt] of play.attempts) {
        const body = { success: true, message: "", attempt };
        play.receive({ name: "ack", jobId, body });
      }
      while (play.promoting > 0) play.act({ do: "promoted", pick: 0 });
      for (const uri of play.ended) assert.equal(play.settled.get(uri), 1, uri);
      assert.ok(play.finished, "the drain does not end");
    }),
    { numRuns: 2000 },
  );
});
