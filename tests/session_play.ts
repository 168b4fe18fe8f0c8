/** A worker's session as a test plays with it: no socket, no process, a clock of its own. */
import type { Message, MessageBody, MessageName } from "../protocol/messages.ts";
import { success } from "../worker/conclusions.ts";
import type { Job } from "../worker/job_slots.ts";
import { Session } from "../worker/session.ts";
import type { Effect, SessionEvent } from "../worker/session_events.ts";
import type { StagedOutput } from "../worker/sinks/sink.ts";

/** A session with a clock of its own; `sent` shows what it said, `did` what else it asked for. */
export class Play {
  nowMs = 1_000_000;
  readonly session: Session;
  sent: Extract<Effect, { type: "send" }>[] = [];
  did: Effect[] = [];

  constructor(slots = 2) {
    this.session = new Session({
      identity: { worker_id: "w-1", slots },
      slots,
      environments: ["env1"],
      random: { next: () => 0.5 },
    }, this.nowMs);
    this.on({ type: "start" });
  }

  on(event: SessionEvent): void {
    const effects = this.session.handle(event, this.nowMs);
    this.sent.push(...effects.filter((effect) => effect.type === "send"));
    this.did.push(...effects.filter((effect) => effect.type !== "send" && effect.type !== "log"));
  }

  receive<N extends MessageName>(name: N, body: MessageBody<N>, jobId = 0): void {
    this.on({ type: "message", message: { name, jobId, body } as Message });
  }

  /** The answer to IDENTIFY by a sentinel like ours. */
  welcome(): void {
    this.receive("heartbeat", { status: "ALIVE", features: ["receipt-ack"] });
    this.forget();
  }

  dispatch(jobId: number, attempt?: number): Job {
    this.receive("dispatch", {
      plugin_name: "p",
      file_path: "/data/a.csv",
      sinks: [{ topic: "t", uri: "parquet://output/t", mode: "replace" }],
      file_version_id: 1,
      env_hash: "env1",
      source_code: "",
      ...(attempt === undefined ? {} : { attempt }),
    }, jobId);
    return this.did.findLast((effect) => effect.type === "run")?.job ??
      { id: jobId, attempt: attempt ?? 0, body: {} as never };
  }

  succeed(job: Job): void {
    this.on({ type: "ended", job, receipt: success(job, [stagedBy(job)], { rows: 1 }) });
  }

  /** Lets time pass, ticking whenever the session asks for it. */
  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.session.wakeAtMs <= untilMs) {
      this.nowMs = Math.max(this.nowMs, this.session.wakeAtMs);
      this.on({ type: "tick", progress: [] });
    }
    this.nowMs = untilMs;
  }

  forget(): void {
    this.sent = [];
    this.did = [];
  }

  named<N extends MessageName>(name: N): { jobId: number; body: MessageBody<N> }[] {
    return this.sent.filter((message) => message.name === name) as never;
  }

  kinds(): string[] {
    return this.did.map((effect) => effect.type);
  }
}

function stagedBy(job: Job): StagedOutput {
  const uri = `/out/t/a.${job.id}.parquet`;
  return { topic: "t", uri, staged: `${uri}.staged`, rows: 1, bytes: 10, generation: 1 };
}
