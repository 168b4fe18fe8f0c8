/**
 * The control API over a ZeroMQ DEALER: CALL out, REPLY in, matched by their id.
 *
 * A connection is open until it is closed. libzmq connects again by itself and never says that nobody
 * is there, so opening one asks `system.info` and gives up when nothing answers in time.
 */
import { decode, encode } from "../protocol/codec.ts";
import {
  type ControlClient,
  controlClient,
  ControlError,
  type Method,
} from "../protocol/control.ts";
import { CliError } from "../protocol/exit_codes.ts";
import type { Message } from "../protocol/messages.ts";
import type { SystemInfo } from "../protocol/records.ts";
import { ZmqContext, type ZmqSocket } from "../protocol/zeromq.ts";
import type * as z from "zod";

/** Long enough for a sentinel in the middle of a large commit. */
const HELLO_MS = 5_000;
const CALL_MS = 60_000;
/** A scan of a slow share with a million files, asked for by a person who waits for it. */
const SCAN_MS = 60 * 60_000;
const MESSAGES_MAX = 64;

export interface Connection {
  readonly client: ControlClient;
  readonly info: z.infer<typeof SystemInfo>;
  /** Safe to call twice; calls under way are rejected. */
  close(): Promise<void>;
}

/**
 * @param limits How long to wait for the first answer, and for each later one.
 * @throws {CliError} If nothing answers at the address within `helloMs`.
 * @throws {ZmqError} If it is no address.
 */
export async function connect(
  address: string,
  { helloMs = HELLO_MS, callMs = CALL_MS }: { helloMs?: number; callMs?: number } = {},
): Promise<Connection> {
  const context = new ZmqContext();
  try {
    const wire = new Wire(context, address);
    const hello = controlClient((method, params) => wire.call(method, params, helloMs));
    const info = await hello.call("system.info", {});
    const limitMs = (method: Method) => method === "scan.run" ? SCAN_MS : callMs;
    const client = controlClient((method, params) => wire.call(method, params, limitMs(method)));
    return { client, info, close: () => (wire.close(), context.close()) };
  } catch (error) {
    await context.close();
    throw error;
  }
}

interface PendingCall {
  resolve(result: unknown): void;
  reject(error: Error): void;
  readonly timer: ReturnType<typeof setTimeout>;
}

class Wire {
  readonly #socket: ZmqSocket;
  readonly #pending = new Map<number, PendingCall>();
  #lastId = 0;

  constructor(context: ZmqContext, private readonly address: string) {
    this.#socket = context.socket("dealer", { lingerMs: 0 });
    this.#socket.connect(address);
    this.#receive().catch((error) => this.#rejectAll(error));
  }

  call(method: Method, params: unknown, limitMs: number): Promise<unknown> {
    const id = ++this.#lastId;
    const sent = this.#socket.send(encode("call", 0, { id, method, params }));
    if (sent !== "sent") return Promise.reject(this.#unanswered(0));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#take(id)?.reject(this.#unanswered(limitMs)), limitMs);
      this.#pending.set(id, { resolve, reject, timer });
    });
  }

  close(): void {
    this.#socket.close();
    this.#rejectAll(new CliError(`The connection to ${this.address} was closed`));
  }

  async #receive(): Promise<void> {
    while (!this.#socket.closed) {
      for (const { frames } of this.#socket.receive(MESSAGES_MAX)) this.#answer(decode(frames));
      await this.#socket.readable();
    }
  }

  #answer(message: Message): void {
    if (message.name === "err") return this.#rejectAll(new CliError(message.body.message));
    if (message.name !== "reply") return; // a newer sentinel may say more than we understand
    const { id, result, error } = message.body;
    const call = this.#take(id);
    if (error) call?.reject(new ControlError(error.code, error.message));
    else call?.resolve(result);
  }

  #take(id: number): PendingCall | undefined {
    const call = this.#pending.get(id);
    this.#pending.delete(id);
    clearTimeout(call?.timer);
    return call;
  }

  #rejectAll(error: Error): void {
    for (const id of [...this.#pending.keys()]) this.#take(id)?.reject(error);
  }

  #unanswered(limitMs: number): CliError {
    return new CliError(
      `Cannot reach a sentinel at ${this.address} as nothing answered within ${
        limitMs / 1000
      } s: ` +
        "see that it runs (`casparian start`), or name another one with --connect or --state",
    );
  }
}
