/**
 * The ZAP handler: libzmq asks it, over a socket inside the program, whether a peer may connect.
 * @see ZeroMQ RFC 27, "ZAP - ZeroMQ Authentication Protocol"
 */
import { z85Key } from "./zeromq_library.ts";
import type { ZmqContext, ZmqSocket } from "./zeromq.ts";

const ADDRESS = "inproc://zeromq.zap.01";
const VERSION = "1.0";
const REQUESTS_MAX = 64;

/** A peer that proved to hold the secret key of `publicKey` and wants to connect. */
export interface ZapRequest {
  /** Network address of the peer, such as "127.0.0.1"; empty for ipc. */
  readonly address: string;
  /** 40 characters of Z85. */
  readonly publicKey: string;
}

export interface ZapServer {
  /** From then on all peers are refused. Safe to call twice. */
  close(): void;
}

/**
 * Answers for all CURVE servers of the context; start it before the first of them is bound.
 * @param decide Names the user that the peer's messages will carry as `userId`, or refuses it with `null`.
 * @param onError Told what `decide` threw; the peer is refused. Left out, it ends the program.
 * @throws {ZmqError} If the context has a handler already.
 */
export function serveZap(
  context: ZmqContext,
  decide: (request: ZapRequest) => string | null,
  onError: (error: unknown) => void = reportError,
): ZapServer {
  const socket = context.socket("router");
  socket.bind(ADDRESS);
  answerAll(socket, decide, onError);
  return { close: () => socket.close() };
}

async function answerAll(
  socket: ZmqSocket,
  decide: (request: ZapRequest) => string | null,
  onError: (error: unknown) => void,
): Promise<void> {
  while (!socket.closed) {
    for (const { frames } of socket.receive(REQUESTS_MAX)) answer(socket, frames, decide, onError);
    await socket.readable();
  }
}

/** Request: [client, "", version, id, domain, address, identity, mechanism, key]. */
function answer(
  socket: ZmqSocket,
  frames: readonly Uint8Array[],
  decide: (request: ZapRequest) => string | null,
  onError: (error: unknown) => void,
): void {
  const [client, , , id, , address, , mechanism, key] = frames;
  if (client === undefined || id === undefined) return;
  let userId: string | null = null;
  try {
    if (address && key && text(mechanism) === "CURVE") {
      userId = decide({ address: text(address), publicKey: z85Key(key) });
    }
  } catch (error) {
    onError(error);
  }
  const verdict = userId === null ? ["400", "Unknown key", ""] : ["200", "OK", userId];
  const reply = [VERSION, id, ...verdict, ""];
  socket.send([client, new Uint8Array(0), ...reply.map(bytes)]);
}

function text(frame: Uint8Array | undefined): string {
  return new TextDecoder().decode(frame);
}

function bytes(part: string | Uint8Array): Uint8Array {
  return typeof part === "string" ? new TextEncoder().encode(part) : part;
}
