/**
 * One worker's dealings with its sentinel [pure]: events in, effects out; time comes with each event.
 *
 * The sentinel is the authority on jobs: it decides what runs and which receipt counts. This side is
 * the authority on what its disk holds. While the sentinel is away (see link.ts) running jobs go on
 * and receipts wait in the outbox; if this worker dies, its leases end and others do the work.
 *
 * A sentinel is "ours" once it has announced features or counted an attempt. A plain v4 one gets no
 * field and no opcode of ours, no unasked HEARTBEAT, and as it never acknowledges a receipt, output
 * is promoted as soon as the receipt is sent.
 *
 * Draining (see drain.ts): no new jobs, and queued ones go back at once.
 */
import {
  FEATURES,
  type Message,
  type MessageBody,
  type MessageName,
  type MessageOf,
} from "../protocol/messages.ts";
import type { LogLevel, Random } from "../protocol/ports.ts";
import { CatalogCalls, type Pending } from "./catalog_calls.ts";
import { abortedReceipt, plainConclude, rejection, unreadable } from "./conclusions.ts";
import { Drain } from "./drain.ts";
import { heartbeat, type HeartbeatExtras } from "./heartbeat.ts";
import { type Job, JobSlots } from "./job_slots.ts";
import { Link } from "./link.ts";
import { LogFlow } from "./log_flow.ts";
import { Outbox, type Receipt } from "./receipts.ts";
import { type Effect, type Malformed, type SessionEvent, unexpected } from "./session_events.ts";

const ERR_GAP_MS = 1000;
/** What a restarted sentinel, which knows nobody, answers to whatever we send. */
const NOT_IDENTIFIED = /did not IDENTIFY/;

export interface SessionOptions {
  readonly identity: Omit<MessageBody<"identify">, "capabilities" | "features" | "envs">;
  readonly slots: number;
  /** Hashes of the environments that are ready at the start. */
  readonly environments: readonly string[];
  readonly random: Random;
}

export class Session {
  readonly #options: SessionOptions;
  readonly #slots: JobSlots;
  readonly #outbox = new Outbox();
  readonly #catalog = new CatalogCalls();
  readonly #environments: Set<string>;
  readonly #logs = new LogFlow(({ jobId, body }) => this.#send("log", jobId, body));
  readonly #link: Link;
  #effects: Effect[] = [];
  #nowMs = 0;
  /** By the last tick. */
  #told: Pick<HeartbeatExtras, "progress" | "warm"> = { progress: [], warm: [] };
  #errAtMs = -Infinity;
  #promoting = 0;
  /** Older attempts whose processes are being killed: they hold no slot, but still have a stage. */
  readonly #superseded = new Set<Job>();
  readonly #drain = new Drain();
  #finished = false;

  constructor(options: SessionOptions, nowMs: number) {
    this.#options = options;
    this.#slots = new JobSlots(options.slots);
    this.#environments = new Set(options.environments);
    this.#link = new Link(options.random, nowMs);
  }

  /** What is to be done about `event`, in this order. */
  handle(event: SessionEvent, nowMs: number): Effect[] {
    this.#nowMs = nowMs;
    this.#effects = [];
    if (!this.#finished) this.#on(event);
    if (this.#drain.begun && !this.#finished) this.#endIfDrained();
    return this.#effects;
  }

  /** When the next "tick" is needed; Infinity if only an event can change anything. */
  get wakeAtMs(): number {
    if (this.#finished) return Infinity;
    const callAtMs = this.#talks
      ? Math.min(this.#outbox.dueAtMs, this.#catalog.wakeAtMs)
      : Infinity;
    return Math.min(this.#link.wakeAtMs, callAtMs, this.#drain.wakeAtMs);
  }

  /** Our sentinel is there: it understands all that we can say. */
  get #talks(): boolean {
    return this.#link.phase === "ready" && this.#link.ours;
  }

  #on(event: SessionEvent): void {
    switch (event.type) {
      case "start":
        return this.#identify();
      case "tick":
        this.#told = { progress: event.progress, warm: event.warm ?? [] };
        return this.#tick();
      case "message":
        return this.#onMessage(event.message);
      case "malformed":
        return this.#onMalformed(event);
      case "logged":
        return this.#onLogged({ name: "log", jobId: event.jobId, body: event.body });
      case "ran":
        this.#slots.ran(event.job);
        return this.#startJobs();
      case "ended":
        return this.#onEnded(event.job, event.receipt);
      case "promoted":
        this.#promoting--;
        if (this.#link.ours) this.#catalog.add(event.landed);
        if (event.again) this.#catalog.askLater(this.#nowMs);
        return this.#reportPromotions();
      case "environment":
        return this.#onEnvironment(event.body);
      case "resolved":
        return this.#send("resolved", 0, event.body);
      case "tried":
        return this.#send("tried", 0, event.body);
      case "drain":
        return this.#startDrain(event.limitMs);
    }
  }

  #onMessage(message: Message): void {
    if (message.name === "err" && NOT_IDENTIFIED.test(message.body.message)) {
      return this.#introduceAgain();
    }
    const back = this.#link.heard(this.#nowMs);
    if (back && this.#link.ours) this.#catchUp();
    this.#logs.heard(this.#talks);
    switch (message.name) {
      case "heartbeat":
        return this.#onHeartbeat(message.body);
      case "dispatch":
        return this.#onDispatch(message);
      case "abort":
        return this.#onAbort(message);
      case "ack":
        return this.#onAck(message);
      case "prepare_env":
        return this.#do({ type: "prepare", body: message.body });
      case "resolve":
        return this.#do({ type: "resolve", body: message.body });
      case "try":
        return this.#do({ type: "try", body: message.body });
      case "reply":
        return this.#onReply(message.body);
      case "reload":
        return this.#log("info", "The sentinel asked for a reload: a worker has nothing to reload");
      case "err":
        return this.#log("warning", `The sentinel answered with an error: ${message.body.message}`);
      default:
        return this.#onMalformed(unexpected(message.name));
    }
  }

  // ---- the connection ------------------------------------------------------------------------

  #tick(): void {
    const due = this.#link.due(this.#nowMs);
    if (due === "reconnect") this.#reconnect();
    if (due === "beat") this.#heartbeat();
    if (!this.#talks) return;
    this.#sendReceipts();
    this.#call(this.#catalog.askAgain(this.#nowMs));
  }

  #reconnect(): void {
    const silentMs = this.#link.silentMs(this.#nowMs);
    if (this.#link.phase !== "lost") {
      this.#log("warning", `The sentinel has been silent for ${silentMs} ms: connecting again`);
      this.#forgetSending();
    }
    this.#link.reconnecting(this.#nowMs);
    this.#do({ type: "reconnect" });
    this.#identify();
  }

  /** Several of our messages may get this answer: only the first one counts. */
  #introduceAgain(): void {
    if (this.#link.phase !== "ready") return;
    this.#log("info", "The sentinel has been restarted: identifying this worker again");
    this.#forgetSending();
    this.#link.phase = "connecting";
    this.#identify();
  }

  #forgetSending(): void {
    this.#outbox.forgetSending();
    this.#catalog.lost();
  }

  #identify(): void {
    this.#send("identify", 0, {
      capabilities: ["*"],
      ...this.#options.identity,
      features: [...FEATURES],
      envs: [...this.#environments],
    });
  }

  #recognise(): void {
    if (this.#link.ours) return;
    this.#link.ours = true;
    this.#catchUp();
  }

  /** The sentinel is there (again): it gets what it missed and is asked what we missed. */
  #catchUp(): void {
    this.#heartbeat();
    this.#logs.heard(true);
    this.#sendReceipts();
    this.#call(this.#catalog.ask(this.#nowMs));
    this.#reportPromotions();
  }

  #onHeartbeat(body: MessageBody<"heartbeat">): void {
    if (body.features) this.#recognise();
    if (this.#link.mayAnswerBeat(this.#nowMs)) this.#heartbeat();
  }

  #heartbeat(): void {
    this.#link.beat(this.#nowMs);
    const jobIds = [...this.#slots.jobIds(), ...this.#outbox.jobIds()];
    const extras = { ...this.#told, draining: this.#drain.begun };
    this.#send("heartbeat", 0, heartbeat(jobIds, this.#link.ours ? extras : undefined));
  }

  #onMalformed({ reason, answer, jobId }: Malformed): void {
    this.#log("warning", `The sentinel sent what can not be used: ${reason}`);
    if (jobId > 0 && this.#heldAttempt(jobId) === undefined) {
      this.#conclude(jobId, unreadable(reason));
    }
    if (!answer || this.#nowMs - this.#errAtMs < ERR_GAP_MS) return;
    this.#errAtMs = this.#nowMs;
    this.#send("err", 0, { message: reason });
  }

  // ---- jobs ----------------------------------------------------------------------------------

  #onDispatch({ jobId, body }: MessageOf<"dispatch">): void {
    if (body.attempt !== undefined) this.#recognise();
    const job: Job = { id: jobId, attempt: body.attempt ?? 0, body };
    if (this.#alreadyHeld(job)) return;
    if (job.attempt < (this.#heldAttempt(jobId) ?? 0)) return; // it was overtaken on its way
    this.#dropOlder(job);
    if (this.#drain.begun || !this.#slots.offer(job)) return this.#conclude(jobId, rejection(job));
    this.#startJobs();
  }

  /** A doubled DISPATCH changes nothing; if the job is done, its receipt was lost and goes again. */
  #alreadyHeld(job: Job): boolean {
    const receipt = this.#outbox.get(job.id);
    if (receipt?.attempt === job.attempt) this.#sendReceipt(receipt);
    return receipt?.attempt === job.attempt || this.#slots.get(job.id)?.attempt === job.attempt;
  }

  #heldAttempt(jobId: number): number | undefined {
    return (this.#slots.get(jobId) ?? this.#outbox.get(jobId))?.attempt;
  }

  /** A new attempt means that the sentinel has given up the one before, so nothing will come of it. */
  #dropOlder(job: Job): void {
    const receipt = this.#outbox.take(job.id);
    if (receipt) this.#do({ type: "discard", staged: receipt.staged });
    const older = this.#slots.get(job.id);
    if (!older) return;
    if (!this.#slots.isQueued(older)) {
      this.#superseded.add(older);
      this.#do({ type: "kill", job: older, cause: "superseded" });
    }
    this.#slots.remove(older);
  }

  #startJobs(): void {
    for (const job of this.#slots.start()) this.#do({ type: "run", job });
  }

  #onAbort({ jobId, body }: MessageOf<"abort">): void {
    const job = this.#slots.get(jobId);
    if (!job || (body.attempt !== undefined && body.attempt !== job.attempt)) return;
    if (this.#slots.isQueued(job)) this.#onEnded(job, abortedReceipt(job));
    else this.#do({ type: "kill", job, cause: "aborted" });
  }

  #onEnded(job: Job, receipt: Receipt): void {
    this.#slots.remove(job);
    if (this.#superseded.delete(job)) {
      this.#do({ type: "discard", staged: receipt.staged });
    } else {
      this.#outbox.add(receipt);
      if (this.#link.phase === "ready") this.#sendReceipt(receipt);
    }
    this.#startJobs();
  }

  #sendReceipts(): void {
    for (const receipt of this.#outbox.due(this.#nowMs)) this.#sendReceipt(receipt);
  }

  #sendReceipt(receipt: Receipt): void {
    this.#conclude(receipt.jobId, receipt.body);
    this.#outbox.sent(receipt, this.#nowMs);
    if (this.#link.ours) return;
    this.#outbox.take(receipt.jobId); // no ACK will come
    this.#promote(receipt, []);
  }

  #conclude(jobId: number, body: MessageBody<"conclude">): void {
    this.#send("conclude", jobId, this.#link.ours ? body : plainConclude(body));
  }

  #onAck({ jobId, body }: MessageOf<"ack">): void {
    const receipt = this.#outbox.take(jobId, body.attempt);
    if (!receipt) return;
    if (body.success) return this.#promote(receipt, body.retired ?? []);
    if (receipt.staged.length === 0) return;
    this.#log("warning", `Job ${jobId}: its output is discarded: ${body.message}`);
    this.#do({ type: "discard", staged: receipt.staged });
  }

  #promote(receipt: Receipt, retired: readonly string[]): void {
    // A file's new version may yield nothing at all: then there is only something to take away.
    if (receipt.staged.length + retired.length === 0) return;
    this.#promoting++;
    this.#do({ type: "promote", receipt, retired });
  }

  // ---- calls to the catalog ------------------------------------------------------------------

  #reportPromotions(): void {
    if (this.#talks) this.#call(this.#catalog.report());
  }

  #call(call: MessageBody<"call"> | undefined): void {
    if (call) this.#send("call", 0, call);
  }

  #onReply(body: MessageBody<"reply">): void {
    const answer = this.#catalog.answered(body);
    switch (answer?.type) {
      case "pending":
        return this.#recover(answer.outputs, answer.isAll);
      case "reported": // what this worker slept over was replaced by others, and must not reappear
        if (answer.retired.length > 0) this.#do({ type: "retire", uris: answer.retired });
        return this.#reportPromotions();
      case "refused": // the next landing or reconnect tries again: no loop of refusals
        return this.#log("warning", `The sentinel refused ${answer.method}: ${answer.message}`);
    }
  }

  /** What the outbox holds gets an ACK of its own, which also tells what it replaces. */
  #recover(outputs: readonly Pending[], isAll: boolean): void {
    const pending = outputs.filter(({ job_id }) => !this.#outbox.get(job_id));
    this.#promoting++;
    this.#do({ type: "recover", pending, isAll });
  }

  #onEnvironment(body: MessageBody<"env_ready">): void {
    if (body.error === undefined) this.#environments.add(body.env_hash);
    else if (!this.#link.ours) return this.#send("err", 0, { message: body.error });
    this.#send("env_ready", 0, body);
  }

  #onLogged(log: MessageOf<"log">): void {
    if (this.#link.ours) this.#logs.offer(log, this.#talks); // else it has no word for it
  }

  #startDrain(limitMs: number): void {
    this.#drain.begin(limitMs, this.#nowMs);
    if (this.#talks) this.#heartbeat(); // so that nothing more is sent to be rejected
    for (const job of this.#slots.takeQueued()) this.#conclude(job.id, rejection(job));
  }

  #endIfDrained(): void {
    if (this.#drain.takeKill(this.#nowMs)) {
      for (const job of this.#slots.active()) this.#do({ type: "kill", job, cause: "drained" });
    }
    if (this.#slots.size + this.#superseded.size > 0) return;
    const quiet = this.#outbox.size + this.#catalog.unreported + this.#promoting === 0;
    if (!this.#drain.isOver(quiet, this.#nowMs)) return;
    this.#finished = true;
    this.#do({ type: "finished" });
  }

  #send<N extends MessageName>(name: N, jobId: number, body: MessageBody<N>): void {
    this.#do({ type: "send", name, jobId, body } as Effect);
  }

  #log(level: LogLevel, message: string): void {
    this.#do({ type: "log", level, message });
  }

  #do(effect: Effect): void {
    this.#effects.push(effect);
  }
}
