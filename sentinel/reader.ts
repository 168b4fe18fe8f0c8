/**
 * Answers the control API's reads in a thread, which is started when it is needed and ended when it
 * was idle for a while: an idle sentinel holds no second isolate.
 */
import { ControlError } from "../protocol/control.ts";
import type { ReadReply, ReadRequest } from "./reader_thread.ts";
import type { ReadMethod } from "./store/sqlite_reads.ts";

const IDLE_MS = 30_000;
/** Reads that wait: beyond, the asker is told to come back, as one of them may be slow. */
const WAITING_MAX = 256;

export class Reader {
  #thread: Worker | null = null;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  #nextId = 1;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();

  /** @param database Path of the SQLite file. */
  constructor(readonly database: string) {}

  /** @throws {ControlError} What the read says, `unavailable` when too many wait. */
  read(method: ReadMethod, params: unknown): Promise<unknown> {
    if (this.#waiting.size >= WAITING_MAX) {
      const message = `Cannot answer ${method} as ${WAITING_MAX} reads wait already: try again`;
      return Promise.reject(new ControlError("unavailable", message));
    }
    const id = this.#nextId++;
    const reply = Promise.withResolvers<unknown>();
    this.#waiting.set(id, reply);
    this.#open().postMessage({ id, method, params } satisfies ReadRequest);
    return reply.promise;
  }

  stop(): void {
    clearTimeout(this.#idleTimer);
    this.#thread?.terminate();
    this.#thread = null;
    this.#failAll("the sentinel is stopping");
  }

  #open(): Worker {
    clearTimeout(this.#idleTimer);
    if (this.#thread) return this.#thread;
    const thread = new Worker(new URL("./reader_thread.ts", import.meta.url), { type: "module" });
    thread.onmessage = ({ data }: MessageEvent<ReadReply>) => this.#answered(data);
    thread.onerror = (event) => {
      event.preventDefault();
      this.#thread = null;
      this.#failAll(event.message);
    };
    thread.postMessage({ database: this.database });
    return this.#thread = thread;
  }

  #answered(reply: ReadReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ("error" in reply) {
      waiting?.reject(new ControlError(reply.error.code, reply.error.message));
    } else waiting?.resolve(reply.result);
    if (this.#waiting.size > 0) return;
    this.#idleTimer = setTimeout(() => this.stop(), IDLE_MS);
  }

  #failAll(reason: string): void {
    for (const { reject } of this.#waiting.values()) {
      reject(new ControlError("unavailable", `Cannot read the store: ${reason}`));
    }
    this.#waiting.clear();
  }
}
