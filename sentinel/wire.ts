/** The sentinel's two sockets: a ROUTER for messages, a PUB for live events. */
import { decode, encode, encodeJson } from "../protocol/codec.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { FRAME_BYTES_MAX } from "../protocol/ids.ts";
import {
  type Message,
  type MessageBody,
  type MessageName,
  MESSAGES,
} from "../protocol/messages.ts";
import type { Clock } from "../protocol/ports.ts";
import { type SendResult, ZmqContext, type ZmqSocket } from "../protocol/zeromq.ts";
import type { EventTopic, Peer } from "./core/step.ts";

/** Messages that may wait for one peer, and for us, before sending says "full". */
const HIGH_WATER = 20_000;
/** A hostile or broken peer is answered this often at most, whatever it sends. */
const ERR_INTERVAL_MS = 1000;
/** Peers whose last ERR is remembered; beyond, the oldest is forgotten. */
const ERR_PEERS_MAX = 1000;

const encoder = new TextEncoder();

export interface Received {
  peer: Peer;
  message: Message;
}

export class Wire {
  readonly #context = new ZmqContext();
  readonly #router: ZmqSocket;
  readonly #events: ZmqSocket;
  readonly #erredAtMs = new Map<Peer, number>();
  /** Messages that were no valid message, since the start. */
  refused = 0;

  /** @throws {ZmqError} If an address cannot be bound: it is in use, too long or not ours. */
  constructor(address: string, eventsAddress: string, readonly clock: Clock) {
    const highWater = { sendHighWater: HIGH_WATER, receiveHighWater: HIGH_WATER };
    this.#router = this.#context.socket("router", {
      ...highWater,
      messageBytesMax: FRAME_BYTES_MAX,
      lingerMs: 500,
    });
    this.#events = this.#context.socket("pub", { ...highWater, lingerMs: 0 });
    try {
      this.#router.bind(address);
      this.#events.bind(eventsAddress);
    } catch (error) {
      void this.#context.close();
      throw error;
    }
  }

  get address(): string {
    return this.#router.endpoint;
  }

  get eventsAddress(): string {
    return this.#events.endpoint;
  }

  get closed(): boolean {
    return this.#router.closed;
  }

  readable(): Promise<void> {
    return this.#router.readable();
  }

  /** Valid messages that wait, at most `max`; what is none is counted and answered by ERR. */
  receive(max: number): Received[] {
    return this.#router.receive(max).flatMap(({ frames }) => {
      const [identity, ...rest] = frames;
      const peer = identity!.toHex();
      try {
        return [{ peer, message: decode(rest) }];
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        this.#refuse(peer, rest[0], error);
        return [];
      }
    });
  }

  /**
   * An ERR goes out at most once a second to each peer; what is over that is dropped as if it were sent.
   * @throws {RangeError} If the body is over its message's bound.
   */
  send<N extends MessageName>(
    peer: Peer,
    name: N,
    jobId: number,
    body: MessageBody<N>,
  ): SendResult {
    if (name === "err" && !this.#mayErr(peer)) return "sent";
    return this.#router.send([Uint8Array.fromHex(peer), ...encode(name, jobId, body)]);
  }

  /** As {@link send}, for a body that already is JSON. */
  sendJson(peer: Peer, name: MessageName, jobId: number, json: string): SendResult {
    return this.#router.send([Uint8Array.fromHex(peer), ...encodeJson(name, jobId, json)]);
  }

  publish(topic: EventTopic, event: Readonly<Record<string, unknown>>): void {
    this.#events.send([encoder.encode(topic), encoder.encode(JSON.stringify(event))]);
  }

  close(): Promise<void> {
    return this.#context.close();
  }

  #refuse(peer: Peer, header: Uint8Array | undefined, { message }: ProtocolError): void {
    this.refused++;
    // An ERR is never answered, or two broken peers talk for ever.
    if (header?.[1] !== MESSAGES.err.opcode) this.send(peer, "err", 0, { message });
  }

  #mayErr(peer: Peer): boolean {
    const nowMs = this.clock.nowMs();
    const last = this.#erredAtMs.get(peer);
    if (last !== undefined && nowMs - last < ERR_INTERVAL_MS) return false;
    if (this.#erredAtMs.size >= ERR_PEERS_MAX) {
      this.#erredAtMs.delete(this.#erredAtMs.keys().next().value!);
    }
    this.#erredAtMs.set(peer, nowMs);
    return true;
  }
}
