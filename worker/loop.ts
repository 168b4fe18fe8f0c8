/**
 * The shell around session.ts: feeds it messages, timers and what the worker's own parts report, and
 * does what it decides. Nothing here waits: whatever takes time runs beside and reports as an event.
 */
import type { Message, MessageBody } from "../protocol/messages.ts";
import type { Clock, Logger } from "../protocol/ports.ts";
import { type JobParts, JobRun } from "./job_runner.ts";
import type { Job } from "./job_slots.ts";
import { LargeFrames } from "./large_frames.ts";
import { LogCapture } from "./log_capture.ts";
import type { Landing, LandingReport } from "./landing.ts";
import type { Preparations } from "./preparations.ts";
import type { Session } from "./session.ts";
import type { Effect, Progress, SessionEvent } from "./session_events.ts";
import { onThisHost } from "./source_roots.ts";
import type { Wire, WireEvents } from "./wire.ts";

export interface LoopParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly session: Session;
  /** Opens the connection; called once, by `start`. */
  connect(events: WireEvents): Pick<Wire, "send" | "reconnect" | "close">;
  readonly jobs: Omit<JobParts, "logs" | "largeFrames" | "interpreterOf">;
  readonly landing: Landing;
  readonly preparations: Preparations;
  /** Hashes of the environments whose Python is started. */
  warm(): readonly string[];
}

export class WorkerLoop {
  readonly #parts: LoopParts;
  readonly #jobParts: JobParts;
  readonly #runs = new Map<Job, JobRun>();
  readonly #logs: LogCapture;
  readonly #finished = Promise.withResolvers<void>();
  #wire: ReturnType<LoopParts["connect"]> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAtMs = Infinity;
  #draining = false;
  #linkProblem: string | null = "its sentinel has not answered yet";

  constructor(parts: LoopParts) {
    this.#parts = parts;
    this.#logs = new LogCapture(
      parts.clock,
      (jobId, body) => this.#handle({ type: "logged", jobId, body }),
    );
    this.#jobParts = {
      ...parts.jobs,
      logs: this.#logs,
      largeFrames: new LargeFrames(),
      interpreterOf: (envHash) => parts.preparations.interpreterOf(envHash),
    };
  }

  /** Resolves when a drain has come to its end. */
  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  /** Why this worker can take no job now, for people; null if it can. */
  get unready(): string | null {
    return this.#draining ? "it drains" : this.#linkProblem;
  }

  /** @throws {ZmqError} If the address is not one that can be connected to. */
  start(): void {
    this.#wire = this.#parts.connect({
      message: (message: Message) => this.#heard(message),
      malformed: (reason, answer, jobId) =>
        this.#handle({ type: "malformed", reason, answer, jobId }),
    });
    this.#handle({ type: "start" });
  }

  /** No more jobs; those running have `limitMs`. Called again it can only shorten the limit. */
  drain(limitMs: number): void {
    this.#draining = true;
    this.#handle({ type: "drain", limitMs });
  }

  #heard(message: Message): void {
    this.#linkProblem = null;
    const { maps } = this.#parts.jobs.folders;
    this.#handle({ type: "message", message: onThisHost(message, maps) });
  }

  #handle(event: SessionEvent): void {
    for (const effect of this.#parts.session.handle(event, this.#parts.clock.nowMs())) {
      this.#perform(effect);
    }
    this.#arm();
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case "send":
        return this.#send(effect);
      case "reconnect":
        this.#linkProblem = "its sentinel is silent";
        return this.#wire?.reconnect();
      case "run":
        return void this.#run(effect.job);
      case "kill":
        return this.#runs.get(effect.job)?.kill(effect.cause);
      case "promote":
        return void this.#report(this.#parts.landing.promote(effect.receipt, effect.retired));
      case "recover":
        return void this.#report(this.#parts.landing.recover(effect.pending, effect.isAll));
      case "retire":
        return void this.#parts.landing.retire(effect.uris);
      case "discard":
        return void this.#parts.landing.discard(effect.staged);
      case "prepare":
        return void this.#prepare(effect.body);
      case "resolve":
        return void this.#resolve(effect.body);
      case "try":
        return void this.#try(effect.body);
      case "log":
        return this.#parts.logger.log(effect.level, effect.message);
      case "finished":
        return this.#finish();
    }
  }

  #send(effect: Extract<Effect, { type: "send" }>): void {
    try {
      this.#wire?.send(effect.name, effect.jobId, effect.body);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#parts.logger.log("error", error.message, { job: effect.jobId });
    }
  }

  async #run(job: Job): Promise<void> {
    const run = new JobRun(job, this.#jobParts, () => this.#handle({ type: "ran", job }));
    this.#runs.set(job, run);
    const receipt = await run.run();
    this.#runs.delete(job);
    this.#handle({ type: "ended", job, receipt });
  }

  async #report(landing: Promise<LandingReport>): Promise<void> {
    this.#handle({ type: "promoted", ...await landing });
  }

  async #prepare(body: MessageBody<"prepare_env">): Promise<void> {
    this.#handle({ type: "environment", body: await this.#parts.preparations.prepare(body) });
  }

  async #resolve(body: MessageBody<"resolve">): Promise<void> {
    this.#handle({ type: "resolved", body: await this.#parts.preparations.resolve(body) });
  }

  async #try(body: MessageBody<"try">): Promise<void> {
    const { answerTry } = await import("./try_message.ts"); // Arrow's library is big and rarely needed
    this.#handle({ type: "tried", body: await answerTry(body, this.#jobParts) });
  }

  /** Sets the timer for the session's next moment; a later one than it is set for may wait. */
  #arm(): void {
    const atMs = this.#parts.session.wakeAtMs;
    if (atMs >= this.#timerAtMs) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = atMs;
    this.#timer = setTimeout(() => this.#tick(), Math.max(0, atMs - this.#parts.clock.nowMs()));
  }

  #tick(): void {
    this.#timerAtMs = Infinity;
    const progress: Progress = Array.from(this.#runs.values(), (run) => run.progress);
    this.#handle({ type: "tick", progress, warm: this.#parts.warm() });
  }

  #finish(): void {
    clearTimeout(this.#timer);
    this.#timerAtMs = -Infinity; // nothing arms it again
    this.#logs.stop();
    this.#wire?.close();
    this.#finished.resolve();
  }
}
