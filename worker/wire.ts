/**
 * The worker's end of the control plane: a DEALER socket as a port that speaks messages. What libzmq
 * can't take at once waits here, in order; a new socket starts with nothing waiting, as the session
 * sends again whatever still matters.
 */
import { decode, decodeHeader, encode } from "../protocol/codec.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { FRAME_BYTES_MAX } from "../protocol/ids.ts";
import {
  type Message,
  type MessageBody,
  type MessageName,
  MESSAGES,
} from "../protocol/messages.ts";
import type { ZmqContext, ZmqSocket } from "../protocol/zeromq.ts";

const RECEIVE_BATCH_MAX = 64;
/** Beyond this the sentinel is long gone, or will be told by the next reconnect. */
const WAITING_MAX = 20_000;
const RETRY_MS = 10;

export interface WireEvents {
  message(message: Message): void;
  /**
   * `answer` is false for a broken ERR, which is never answered with an ERR; `jobId` is that of a
   * DISPATCH whose payload can't be used, else 0.
   */
  malformed(reason: string, answer: boolean, jobId: number): void;
}

export class Wire {
  #socket: ZmqSocket;
  #waiting: Uint8Array[][] = [];
  #retry: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** @throws {ZmqError} If the address is not one that libzmq can connect to. */
  constructor(
    private readonly context: ZmqContext,
    private readonly address: string,
    private readonly on: WireEvents,
  ) {
    this.#socket = this.#open();
  }

  /** @throws {RangeError} If the body is larger than the protocol allows. */
  send<N extends MessageName>(name: N, jobId: number, body: MessageBody<N>): void {
    if (this.#closed) return;
    this.#waiting.push(encode(name, jobId, body));
    this.#flush();
    if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
  }

  /** Drops the connection and all that waits, and connects afresh. */
  reconnect(): void {
    if (this.#closed) return;
    this.#socket.close();
    this.#waiting = [];
    this.#socket = this.#open();
  }

  /** Safe to call twice. What was sent may linger in libzmq; the context's `close` waits for it. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#socket.close();
  }

  #open(): ZmqSocket {
    const socket = this.context.socket("dealer", {
      messageBytesMax: FRAME_BYTES_MAX,
      lingerMs: 500,
    });
    try {
      socket.connect(this.address);
    } catch (error) {
      socket.close();
      throw error;
    }
    this.#receive(socket);
    return socket;
  }

  async #receive(socket: ZmqSocket): Promise<void> {
    while (!socket.closed) {
      for (const { frames } of socket.receive(RECEIVE_BATCH_MAX)) {
        if (socket === this.#socket) this.#deliver(frames);
      }
      await socket.readable();
    }
  }

  #deliver(frames: readonly Uint8Array[]): void {
    let message: Message;
    try {
      message = decode(frames);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const answer = frames[0]?.[1] !== MESSAGES.err.opcode;
      this.on.malformed(error.message, answer, dispatchedJob(frames[0]));
      return;
    }
    this.on.message(message);
  }

  #flush(): void {
    let sent = 0;
    for (const frames of this.#waiting) {
      if (this.#socket.send(frames) !== "sent") break;
      sent++;
    }
    if (sent > 0) this.#waiting.splice(0, sent);
    if (this.#waiting.length > 0) this.#retrySoon();
  }

  #retrySoon(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      if (!this.#closed) this.#flush();
    }, RETRY_MS);
  }
}

/** Which job a DISPATCH was about of which no more than the header can be read; 0 if it was none. */
function dispatchedJob(header: Uint8Array | undefined): number {
  try {
    const { name, jobId } = decodeHeader(header ?? new Uint8Array());
    return name === "dispatch" ? jobId : 0;
  } catch {
    return 0;
  }
}
