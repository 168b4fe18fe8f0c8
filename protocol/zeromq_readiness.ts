/**
 * Waits until sockets of one ZeroMQ context have something to read, without touching them elsewhere.
 *
 * A ZeroMQ socket belongs to one thread, but its descriptor (ZMQ_FD) may be waited on in any. So one
 * `zmq_poll` in another thread watches the raw descriptors of *all* sockets of the context: one thread
 * of Deno's pool, however many sockets there are. It runs only while somebody waits, so a program
 * that waits for nothing ends by itself. It is either idle (no poll) or polling; a socket that is not in
 * the running poll, or is leaving it, wakes it through a PAIR of its own context.
 *
 * The descriptor only tells that a socket *may* have changed, and tells it once: whoever is told must
 * read ZMQ_EVENTS, and so must anyone whose own call may have swallowed the news.
 */
import { cString, type Libzmq, zmqError } from "./zeromq_library.ts";
import { readInteger } from "./zeromq_options.ts";

/** Also how often waiting sockets are looked at without news, should a descriptor ever fail to tell. */
const POLL_MS = 1000n;
/** struct { void *socket; int fd; short events; short revents; }, as zmq_poll takes it. */
const ITEM = { bytes: 16, descriptor: 8, events: 12, happened: 14 } as const;
const [PAIR, POLLIN, DONTWAIT] = [0, 1, 1];
const NOTHING = new Uint8Array(0);

/** What the poll needs to know of a socket. */
export interface Watched {
  readonly descriptor: number;
  /** Whether somebody waits for this socket. */
  awaited(): boolean;
  /** Reads ZMQ_EVENTS, which rearms the descriptor, and ends the wait if there is something to read. */
  look(): void;
}

export class Readiness {
  readonly #watched = new Set<Watched>();
  readonly #waker: Waker;
  /** The sockets in the running poll. */
  #polled: ReadonlySet<Watched> = new Set();
  #polling: Promise<void> | undefined;

  constructor(private readonly zmq: Libzmq, context: Deno.PointerValue) {
    this.#waker = new Waker(zmq, context);
  }

  add(socket: Watched): void {
    this.#watched.add(socket); // joins the poll once it is awaited
  }

  /** Must be called before the socket is closed, as its descriptor goes with it. */
  remove(socket: Watched): void {
    this.#watched.delete(socket);
    if (this.#polling !== undefined) this.#waker.wake();
  }

  /** Says that the socket is awaited from now on. */
  expect(socket: Watched): void {
    if (this.#polling === undefined) this.#polling = this.#pollWhileAwaited();
    else if (!this.#polled.has(socket)) this.#waker.wake();
  }

  /** Resolves once no poll runs; all sockets must have been removed. */
  async stop(): Promise<void> {
    await this.#polling;
    this.#waker.close();
  }

  async #pollWhileAwaited(): Promise<void> {
    while (this.#watched.values().some((socket) => socket.awaited())) await this.#poll();
    this.#polling = undefined;
  }

  async #poll(): Promise<void> {
    this.#polled = new Set(this.#watched);
    const descriptors = [
      this.#waker.descriptor,
      ...this.#watched.values().map((s) => s.descriptor),
    ];
    const items = pollItems(descriptors);
    const changed = await this.zmq.zmq_poll(items, descriptors.length, POLL_MS);
    this.#waker.drain();
    for (const [index, socket] of [...this.#polled].entries()) {
      const told = items.getInt16((index + 1) * ITEM.bytes + ITEM.happened, true) !== 0;
      if (told || changed <= 0) socket.look(); // below 0: a signal came between
    }
  }
}

/** The buffer is of its own and off V8's heap, as another thread writes to it while V8 may move things. */
function pollItems(descriptors: readonly number[]): DataView<ArrayBuffer> {
  const items = new DataView(new ArrayBuffer(descriptors.length * ITEM.bytes));
  for (const [index, descriptor] of descriptors.entries()) {
    items.setInt32(index * ITEM.bytes + ITEM.descriptor, descriptor, true);
    items.setInt16(index * ITEM.bytes + ITEM.events, POLLIN, true);
  }
  return items;
}

/** Two ends of an inproc PAIR, both used by the main thread only; the poll watches a raw descriptor. */
class Waker {
  readonly #near: Deno.PointerValue;
  readonly #far: Deno.PointerValue;
  readonly descriptor: number;

  constructor(private readonly zmq: Libzmq, context: Deno.PointerValue) {
    this.#near = zmq.zmq_socket(context, PAIR);
    this.#far = zmq.zmq_socket(context, PAIR);
    const address = cString("inproc://casparian.wake");
    if (zmq.zmq_bind(this.#far, address) !== 0 || zmq.zmq_connect(this.#near, address) !== 0) {
      throw zmqError("make the pair that wakes the poll");
    }
    this.descriptor = readInteger(this.#far, "descriptor");
  }

  wake(): void {
    this.zmq.zmq_send(this.#near, NOTHING, 0n, DONTWAIT); // full means that it is awake already
  }

  /** To the last one: only a reader that found nothing is told of what comes next. */
  drain(): void {
    while (this.zmq.zmq_recv(this.#far, NOTHING, 0n, DONTWAIT) >= 0);
  }

  close(): void {
    this.zmq.zmq_close(this.#near);
    this.zmq.zmq_close(this.#far);
  }
}
