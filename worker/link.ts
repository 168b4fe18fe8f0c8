/**
 * Is the sentinel there? [pure]
 *
 *     connecting ──first message──► ready ◄──any message──┐
 *                                     └──silence──► lost ─┘ (a new socket, IDENTIFY, again and again)
 *
 * libzmq connects again by itself and says nothing of it. A sentinel that was only restarted tells us
 * that it does not know us (ready → connecting, on the same socket); for everything else silence is
 * the only sign, and a new socket with a new IDENTIFY the only cure.
 */
import type { Random } from "../protocol/ports.ts";

export const HEARTBEAT_MS = 2000;
/** Our sentinel speaks at least every HEARTBEAT_MS; of another one we do not know. */
const SILENCE_MS = 3 * HEARTBEAT_MS;
const UNKNOWN_SILENCE_MS = 30_000;
/** Two programs that answer each other's HEARTBEAT must not do so without end. */
const ANSWER_GAP_MS = 500;
const RECONNECT_MS = { first: 500, max: 10_000 } as const;

export class Link {
  phase: "connecting" | "ready" | "lost" = "connecting";
  /** The sentinel knows more than plain v4; once seen, it stays so for this worker's life. */
  ours = false;
  #heardAtMs: number;
  #beatAtMs = -Infinity;
  #reconnects = 0;
  #reconnectAtMs = Infinity;

  constructor(private readonly random: Random, nowMs: number) {
    this.#heardAtMs = nowMs;
  }

  /** @returns Whether this message is the first after a silence. */
  heard(nowMs: number): boolean {
    this.#heardAtMs = nowMs;
    this.#reconnects = 0;
    const back = this.phase !== "ready";
    this.phase = "ready";
    return back;
  }

  beat(nowMs: number): void {
    this.#beatAtMs = nowMs;
  }

  mayAnswerBeat(nowMs: number): boolean {
    return !this.ours || nowMs >= this.#beatAtMs + ANSWER_GAP_MS;
  }

  /** Not before this moment does `due` say anything. */
  get wakeAtMs(): number {
    if (this.phase === "lost") return this.#reconnectAtMs;
    return Math.min(this.#silentAtMs, this.#nextBeatAtMs);
  }

  due(nowMs: number): "reconnect" | "beat" | undefined {
    const silent = this.phase === "lost" ? this.#reconnectAtMs : this.#silentAtMs;
    if (nowMs >= silent) return "reconnect";
    if (this.phase === "ready" && nowMs >= this.#nextBeatAtMs) return "beat";
  }

  silentMs(nowMs: number): number {
    return nowMs - this.#heardAtMs;
  }

  /** Notes that a new socket is being opened, and when to give that one up. */
  reconnecting(nowMs: number): void {
    this.phase = "lost";
    const backoffMs = Math.min(RECONNECT_MS.max, RECONNECT_MS.first * 2 ** this.#reconnects++);
    // Workers that lost one sentinel together must not all come back in the same moment.
    this.#reconnectAtMs = nowMs + Math.round(backoffMs * (0.5 + this.random.next()));
  }

  get #silentAtMs(): number {
    return this.#heardAtMs + (this.ours ? SILENCE_MS : UNKNOWN_SILENCE_MS);
  }

  /** A plain v4 sentinel asks; it is never told unasked. */
  get #nextBeatAtMs(): number {
    return this.ours && this.phase === "ready" ? this.#beatAtMs + HEARTBEAT_MS : Infinity;
  }
}
