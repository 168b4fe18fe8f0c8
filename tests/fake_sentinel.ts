/** A sentinel that does what a test tells it: a ROUTER, what it heard, and what it is told to say. */
import { decode, encode } from "../protocol/codec.ts";
import {
  type Message,
  type MessageBody,
  type MessageName,
  type MessageOf,
} from "../protocol/messages.ts";
import { ZmqContext, type ZmqSocket } from "../protocol/zeromq.ts";

const WAIT_LIMIT_MS = 30_000;

export class FakeSentinel {
  readonly heard: Message[] = [];
  /** When each of them came, by `performance.now()`. */
  readonly #heardAtMs: number[] = [];
  readonly #context = new ZmqContext();
  readonly #socket: ZmqSocket;
  readonly #waiting = new Set<() => void>();
  #peer: Uint8Array | undefined;
  #read = 0;

  /** @param ours Whether it answers as our own does; else it is a plain v4 one. */
  constructor(readonly address: string, readonly ours = true) {
    this.#socket = this.#context.socket("router", { lingerMs: 0 });
    this.#socket.bind(address);
    this.#listen();
  }

  async #listen(): Promise<void> {
    while (!this.#socket.closed) {
      for (const { frames: [peer, ...frames] } of this.#socket.receive(64)) {
        this.#peer = peer;
        const message = decode(frames);
        this.heard.push(message);
        this.#heardAtMs.push(performance.now());
        this.#answer(message);
        for (const check of [...this.#waiting]) check();
      }
      await this.#socket.readable();
    }
  }

  /** What no test is about. */
  #answer(message: Message): void {
    if (!this.ours) return;
    if (message.name === "identify" || message.name === "heartbeat") {
      this.send("heartbeat", 0, { status: "ALIVE", features: ["receipt-ack"] });
    }
    if (message.name !== "call") return;
    const { id, method } = message.body;
    const outputs = method === "outputs.pending" ? this.pending : undefined;
    const retired = method === "outputs.promoted" ? this.retired : undefined;
    this.send("reply", 0, { id, result: { ok: true, outputs, retired } });
  }

  /** The answer to `outputs.pending`. */
  pending: { job_id: number; topic: string; uri: string; staged: string }[] = [];

  /** What the answer to `outputs.promoted` calls replaced. */
  retired: string[] | undefined;

  send<N extends MessageName>(name: N, jobId: number, body: MessageBody<N>): void {
    this.sendFrames(encode(name, jobId, body));
  }

  sendFrames(frames: Uint8Array[]): void {
    if (!this.#peer) throw new Error("No worker has said anything yet");
    this.#socket.send([this.#peer, ...frames]);
  }

  /** The next message of this name, among those not yet returned. @throws {Error} If none comes. */
  async next<N extends MessageName>(
    name: N,
    wanted: (message: MessageOf<N>) => boolean = () => true,
  ): Promise<MessageOf<N>> {
    const found = Promise.withResolvers<MessageOf<N>>();
    const check = () => {
      for (; this.#read < this.heard.length;) {
        const message = this.heard[this.#read++]!;
        if (message.name === name && wanted(message as MessageOf<N>)) {
          this.#waiting.delete(check); // what comes now is for the next to ask
          return found.resolve(message as MessageOf<N>);
        }
      }
    };
    const names = () => this.heard.map((message) => message.name).join(" ");
    const limit = setTimeout(
      () => found.reject(new Error(`No ${name} came; heard: ${names()}`)),
      WAIT_LIMIT_MS,
    );
    this.#waiting.add(check);
    check();
    try {
      return await found.promise;
    } finally {
      this.#waiting.delete(check);
      clearTimeout(limit);
    }
  }

  /** @returns Gives, whenever it is called, the times of such messages since now, and now as the first. */
  arrivals(name: MessageName): () => number[] {
    const [first, nowMs] = [this.heard.length, performance.now()];
    const isWanted = (_: number, n: number) => this.heard[first + n]?.name === name;
    return () => [nowMs, ...this.#heardAtMs.slice(first).filter(isWanted), performance.now()];
  }

  /** Refuses every receipt so far. */
  forgetJobs(): void {
    if (!this.ours) return;
    for (const message of this.heard) {
      if (message.name !== "conclude") continue;
      this.send("ack", message.jobId, { success: false, message: "late" });
    }
  }

  async close(): Promise<void> {
    await this.#context.close();
  }
}
