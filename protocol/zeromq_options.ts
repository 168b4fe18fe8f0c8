/** What a ZeroMQ socket may be told when it is opened, and how libzmq is told and asked. */
import { libzmq, textBeforeNul, zmqError } from "./zeromq_library.ts";

export const SOCKET_TYPES = { pub: 1, sub: 2, dealer: 5, router: 6 } as const;
export type SocketType = keyof typeof SOCKET_TYPES;

export interface SocketOptions {
  /** Routing id by which a ROUTER knows this socket: 1 to 255 bytes, the first not 0. */
  readonly identity?: string | Uint8Array;
  /** Messages that may wait to be sent, per peer (1000); then `send` answers "full". */
  readonly sendHighWater?: number;
  /** Messages that may wait to be received, per peer (1000); then the peer has to keep them. */
  readonly receiveHighWater?: number;
  /** Largest frame accepted (64 MiB); whoever sends a larger one is cut off before it is allocated. */
  readonly messageBytesMax?: number;
  /** How long messages may still be sent after `close` (500). */
  readonly lingerMs?: number;
  /** How often to ask a peer for a sign of life (never); silence three times as long cuts it off. */
  readonly heartbeatMs?: number;
  /**
   * Whether a peer may step into the place of one with the same identity (true unless `curveServer`).
   * Without it, a peer that returns before its old connection is known to be dead is ignored for ever, so
   * a CURVE client should have no identity; with it, a known peer could take the messages of another.
   */
  readonly handover?: boolean;
  /** Beginnings of the first frame that a SUB lets in; "" for all. */
  readonly subscribe?: readonly string[];
  /** Encrypts what is bound; the ZAP handler is asked about every peer, without one none gets in. */
  readonly curveServer?: CurveServer;
  /** Encrypts what is connected. */
  readonly curveClient?: CurveClient;
}

/** Keys are 40 characters of Z85, as `curveKeypair()` makes them. */
export interface CurveServer {
  readonly secretKey: string;
}

export interface CurveClient {
  readonly serverKey: string;
  readonly publicKey: string;
  readonly secretKey: string;
}

const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;
/** What CURVE adds to a frame (name 8, nonce 8, MAC 16, flags 1): the limit is checked on the sum. */
const CURVE_BYTES = 33;
const LINGER_MS = 500;
/** From 100 ms on, doubled at each failure up to this. */
const RECONNECT_MS_MAX = 2000;
const ENDPOINT_BYTES_MAX = 1024;

/** Numbers of zmq.h, named by what they mean here. */
const OPTION = {
  identity: 5,
  subscribe: 6,
  descriptor: 14,
  events: 15,
  linger: 17,
  reconnectMsMax: 21,
  messageBytesMax: 22,
  sendHighWater: 23,
  receiveHighWater: 24,
  lastEndpoint: 32,
  routerMandatory: 33,
  curveServer: 47,
  curvePublicKey: 48,
  curveSecretKey: 49,
  curveServerKey: 50,
  zapDomain: 55,
  routerHandover: 56,
  heartbeatMs: 75,
  heartbeatTimeoutMs: 77,
  zapEnforceDomain: 93,
} as const;
type OptionName = keyof typeof OPTION;
type OptionValue = number | bigint | string | Uint8Array;

/**
 * Tells libzmq all options of a socket that is neither bound nor connected yet.
 * @throws {ZmqError} If one is refused; the text names it, but no value, as it may be a secret.
 */
export function configure(
  socket: Deno.PointerValue,
  type: SocketType,
  options: SocketOptions,
): void {
  const encrypted = options.curveServer !== undefined || options.curveClient !== undefined;
  const frameBytesMax = options.messageBytesMax ?? MESSAGE_BYTES_MAX;
  const handover = options.handover ?? options.curveServer === undefined;
  const settings: [OptionName, OptionValue | undefined][] = [
    ["identity", options.identity],
    ["sendHighWater", options.sendHighWater],
    ["receiveHighWater", options.receiveHighWater],
    ["messageBytesMax", BigInt(frameBytesMax + (encrypted ? CURVE_BYTES : 0))],
    ["linger", options.lingerMs ?? LINGER_MS],
    ["reconnectMsMax", RECONNECT_MS_MAX],
    ["routerMandatory", type === "router" ? 1 : undefined],
    ["routerHandover", type === "router" ? Number(handover) : undefined],
    ["heartbeatMs", options.heartbeatMs],
    ["heartbeatTimeoutMs", options.heartbeatMs && options.heartbeatMs * 3],
    ...(options.subscribe ?? []).map((topic): [OptionName, string] => ["subscribe", topic]),
    ...curveServerSettings(options.curveServer),
    ...curveClientSettings(options.curveClient),
  ];
  for (const [name, value] of settings) {
    if (value !== undefined) setOption(socket, name, value);
  }
}

/** Enforcing the domain refuses everyone while no ZAP handler is there; libzmq would let everyone in. */
function curveServerSettings(curve: CurveServer | undefined): [OptionName, OptionValue][] {
  if (curve === undefined) return [];
  return [
    ["curveServer", 1],
    ["curveSecretKey", curve.secretKey],
    ["zapDomain", "casparian"],
    ["zapEnforceDomain", 1],
  ];
}

function curveClientSettings(curve: CurveClient | undefined): [OptionName, OptionValue][] {
  if (curve === undefined) return [];
  return [
    ["curveServerKey", curve.serverKey],
    ["curvePublicKey", curve.publicKey],
    ["curveSecretKey", curve.secretKey],
  ];
}

function setOption(socket: Deno.PointerValue, name: OptionName, value: OptionValue): void {
  const bytes = optionBytes(value);
  if (libzmq().zmq_setsockopt(socket, OPTION[name], bytes, BigInt(bytes.length)) === 0) return;
  throw zmqError(`set ${name} of a socket`);
}

function optionBytes(value: OptionValue): Uint8Array<ArrayBuffer> {
  if (typeof value === "string") return new TextEncoder().encode(value);
  if (typeof value === "number") return new Uint8Array(Int32Array.of(value).buffer);
  if (typeof value === "bigint") return new Uint8Array(BigInt64Array.of(value).buffer);
  return new Uint8Array(value);
}

// Made once: the events are asked for at every send and every wait.
const integer = new Int32Array(1);
const integerBytes = new BigUint64Array(1);

export function readInteger(socket: Deno.PointerValue, name: "descriptor" | "events"): number {
  integerBytes[0] = 4n;
  if (libzmq().zmq_getsockopt(socket, OPTION[name], integer, integerBytes) === 0) {
    return integer[0]!;
  }
  throw zmqError(`read ${name} of a socket`);
}

/** The address last bound or connected, with the port that `tcp://…:*` was given. */
export function readEndpoint(socket: Deno.PointerValue): string {
  const text = new Uint8Array(ENDPOINT_BYTES_MAX);
  const bytes = BigUint64Array.of(BigInt(text.length));
  if (libzmq().zmq_getsockopt(socket, OPTION.lastEndpoint, text, bytes) !== 0) {
    throw zmqError("read the endpoint of a socket");
  }
  return textBeforeNul(text);
}
