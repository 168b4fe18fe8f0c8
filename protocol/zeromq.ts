/**
 * ZeroMQ sockets for Deno: they never block, and a promise tells that there is something to read.
 *
 *     const context = new ZmqContext();
 *     const socket = context.socket("dealer", { identity: "w-1" });
 *     socket.connect("ipc:///run/casparian/control.sock");
 *     while (!socket.closed) {
 *       for (const { frames } of socket.receive(256)) handle(frames);
 *       await socket.readable();
 *     }
 *     await context.close(); // elsewhere, at the end: it closes the socket, which ends the loop
 *
 * A socket is open until it is closed, then for ever closed. Lost connections are libzmq's business: it
 * connects again for ever, and keeps what waits for a peer that it connects *to*; what waits for a peer
 * that connected to us is lost with the connection. A process killed loses all that it had queued.
 */
import { setImmediate } from "node:timers";
import { cString, ERRNO, libzmq, textAt, zmqError } from "./zeromq_library.ts";
import {
  configure,
  readEndpoint,
  readInteger,
  SOCKET_TYPES,
  type SocketOptions,
  type SocketType,
} from "./zeromq_options.ts";
import { Readiness, type Watched } from "./zeromq_readiness.ts";

export {
  curveKeypair,
  locateZeromqAddon,
  zeromqAddonCandidates,
  ZmqError,
} from "./zeromq_library.ts";
export type { CurveClient, CurveServer, SocketOptions, SocketType } from "./zeromq_options.ts";
export { serveZap, type ZapRequest, type ZapServer } from "./zeromq_zap.ts";

export interface Message {
  /** At a ROUTER the first one is the routing id of the peer. */
  readonly frames: Uint8Array<ArrayBuffer>[];
  /** Who sent it, as the ZAP handler named the peer's key; "" unless the socket is a CURVE server. */
  readonly userId: string;
}

/**
 * "full": nothing was sent, try again later. "unroutable": a ROUTER has no such peer (any more); it learns
 * that one is gone when it has read all that came from it, until then it may say "full".
 */
export type SendResult = "sent" | "full" | "unroutable";

const [POLLIN, DONTWAIT, SNDMORE] = [1, 1, 2];
const USER_ID = cString("User-Id");
/** One zmq_msg_t for all. `new ArrayBuffer` is never moved by V8: a short frame's data lies within it. */
const received = new BigUint64Array(new ArrayBuffer(64));

/** Owns sockets and the threads that serve them. A program needs one. */
export class ZmqContext {
  readonly #pointer = libzmq().zmq_ctx_new();
  readonly #readiness = new Readiness(libzmq(), this.#pointer);
  readonly #sockets = new Set<ZmqSocket>();
  #closing: Promise<void> | undefined;

  /**
   * @throws {ZmqError} If libzmq refuses an option; the text names it.
   * @throws {Error} If the context is closed.
   */
  socket(type: SocketType, options: SocketOptions = {}): ZmqSocket {
    if (this.#closing) throw new Error(`Cannot open a ${type} socket as its context is closed`);
    const pointer = libzmq().zmq_socket(this.#pointer, SOCKET_TYPES[type]);
    if (pointer === null) throw zmqError(`open a ${type} socket`);
    try {
      configure(pointer, type, options);
    } catch (error) {
      libzmq().zmq_close(pointer);
      throw error;
    }
    const asksUserId = options.curveServer !== undefined;
    const socket = new ZmqSocket(type, pointer, this.#readiness, this.#sockets, asksUserId);
    this.#sockets.add(socket);
    return socket;
  }

  /** Closes all sockets; resolves when they have lingered and libzmq's threads have ended. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    for (const socket of this.#sockets) socket.close();
    await this.#readiness.stop();
    while (await libzmq().zmq_ctx_term(this.#pointer) !== 0); // a signal came between
  }
}

/** Opened by `ZmqContext.socket()`. Once closed it can neither bind, connect nor send. */
export class ZmqSocket {
  readonly #zmq = libzmq();
  readonly #watched: Watched;
  /** The address last bound or connected, with the real port where `tcp://…:*` was asked for. */
  endpoint = "";
  #closed = false;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(
    readonly type: SocketType,
    private readonly pointer: Deno.PointerObject,
    private readonly readiness: Readiness,
    private readonly siblings: Set<ZmqSocket>,
    private readonly asksUserId: boolean,
  ) {
    this.#watched = {
      descriptor: readInteger(pointer, "descriptor"),
      awaited: () => this.#waiting !== undefined,
      look: () => this.#look(),
    };
    readiness.add(this.#watched);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** @throws {ZmqError} If the address is wrong, too long (about 100 bytes for ipc) or in use. */
  bind(address: string): void {
    this.#mustBeOpen("bind");
    if (this.#zmq.zmq_bind(this.pointer, cString(address)) !== 0) throw zmqError(`bind ${address}`);
    this.endpoint = readEndpoint(this.pointer);
    this.#tellWaiting();
  }

  /** Returns at once, whether or not anybody listens there yet. @throws {ZmqError} If the address is wrong. */
  connect(address: string): void {
    this.#mustBeOpen("connect");
    if (this.#zmq.zmq_connect(this.pointer, cString(address)) !== 0) {
      throw zmqError(`connect ${address}`);
    }
    this.endpoint = readEndpoint(this.pointer);
    this.#tellWaiting();
  }

  /**
   * Sends one message, wholly or not at all; the frames are copied before it returns.
   * @param frames At least one; at a ROUTER the routing id of the peer, then at least one.
   */
  send(frames: readonly Uint8Array[]): SendResult {
    this.#mustBeOpen("send");
    const framesMin = this.type === "router" ? 2 : 1;
    if (frames.length < framesMin) {
      throw new RangeError(
        `Cannot send as a ${this.type} needs ${framesMin} frames or more: got ${frames.length}`,
      );
    }
    const result = this.#sendFrames(frames);
    this.#tellWaiting();
    return result;
  }

  /** Up to `messagesMax` messages that are here already; none when there are none, or once closed. */
  receive(messagesMax: number): Message[] {
    const messages: Message[] = [];
    while (!this.#closed && messages.length < messagesMax) {
      const message = this.#receiveMessage();
      if (message === undefined) break;
      messages.push(message);
    }
    this.#tellWaiting();
    return messages;
  }

  /**
   * Resolves when there may be something to read, or the socket is closed. Keeps the program alive.
   * Always lets timers and other sockets have their turn, so a busy peer cannot starve them.
   */
  readable(): Promise<void> {
    if (this.#closed || this.#hasMessage()) return new Promise((resolve) => setImmediate(resolve));
    this.#waiting ??= Promise.withResolvers();
    this.readiness.expect(this.#watched);
    return this.#waiting.promise;
  }

  /** Ends the wait; what was sent may linger. Safe to call twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.siblings.delete(this);
    this.readiness.remove(this.#watched);
    this.#zmq.zmq_close(this.pointer);
    this.#endWait();
  }

  /** After every call to libzmq: it may have swallowed the news of a message that came in. */
  #tellWaiting(): void {
    if (this.#waiting) this.#look();
  }

  #look(): void {
    if (!this.#closed && this.#hasMessage()) this.#endWait();
  }

  #endWait(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  #hasMessage(): boolean {
    return (readInteger(this.pointer, "events") & POLLIN) !== 0;
  }

  #mustBeOpen(action: string): void {
    if (this.#closed) throw new Error(`Cannot ${action} as this ${this.type} socket is closed`);
  }

  /**
   * The first frame decides. A later one is refused only if the connection breaks at that moment: then
   * libzmq takes the earlier ones back and drops all up to the last, so it must be given them.
   */
  #sendFrames(frames: readonly Uint8Array[]): SendResult {
    let result: SendResult = "sent";
    for (const [index, frame] of frames.entries()) {
      const refusal = this.#sendFrame(frame, index < frames.length - 1);
      if (refusal !== undefined) result = refusal;
      if (refusal !== undefined && index === 0) break;
    }
    return result;
  }

  #sendFrame(frame: Uint8Array, more: boolean): Exclude<SendResult, "sent"> | undefined {
    const bytes = frame as Uint8Array<ArrayBuffer>;
    const flags = DONTWAIT | (more ? SNDMORE : 0);
    while (this.#zmq.zmq_send(this.pointer, bytes, BigInt(bytes.length), flags) < 0) {
      const errno = this.#zmq.zmq_errno();
      if (errno === ERRNO.wouldBlock) return "full";
      if (errno === ERRNO.unroutable) return "unroutable";
      if (errno !== ERRNO.interrupted) throw zmqError(`send to ${this.endpoint}`, errno);
    }
  }

  #receiveMessage(): Message | undefined {
    const frames: Uint8Array<ArrayBuffer>[] = [];
    let userId = "";
    for (let more = true; more;) {
      this.#zmq.zmq_msg_init(received);
      const bytes = this.#receiveFrame();
      if (bytes === undefined) return undefined; // only before the first one: messages arrive whole
      frames.push(copyReceived(bytes));
      more = this.#zmq.zmq_msg_more(received) === 1;
      if (!more && this.asksUserId) userId = textAt(this.#zmq.zmq_msg_gets(received, USER_ID));
      this.#zmq.zmq_msg_close(received);
    }
    return { frames, userId };
  }

  /** Puts the next frame into `received` and returns its size, or undefined if there is none. */
  #receiveFrame(): number | undefined {
    for (;;) {
      const bytes = this.#zmq.zmq_msg_recv(received, this.pointer, DONTWAIT);
      if (bytes >= 0) return bytes;
      const errno = this.#zmq.zmq_errno();
      if (errno === ERRNO.wouldBlock) return undefined;
      if (errno !== ERRNO.interrupted) throw zmqError(`receive from ${this.endpoint}`, errno);
    }
  }
}

/** The one copy of a frame: out of libzmq's memory into its own. */
function copyReceived(bytes: number): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(bytes);
  const data = libzmq().zmq_msg_data(received);
  if (bytes > 0 && data !== null) libzmq().memcpy(frame, data, BigInt(bytes));
  return frame;
}
