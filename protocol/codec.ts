/**
 * Header and JSON body of a control-plane message, to and from two ZeroMQ frames.
 *
 * Pure: bytes in, message out, or a {@link ProtocolError} that says what was wrong. Every length is
 * checked against its bound before anything is decoded or allocated.
 *
 * @see PROTOCOL.md, "Control plane"
 */
import { ID_MAX } from "./ids.ts";
import { type Message, type MessageBody, type MessageName, MESSAGES, VERSION } from "./messages.ts";
import { ProtocolError } from "./errors.ts";
import { checkJsonBounds } from "./json_bounds.ts";

export const HEADER_BYTES = 16;

/** Byte offsets of the header, big endian; 2..3 are reserved and zero. */
const AT = { version: 0, opcode: 1, jobId: 4, bodyBytes: 12 } as const;

const NAMES = new Map<number, MessageName>(
  (Object.keys(MESSAGES) as MessageName[]).map((name) => [MESSAGES[name].opcode, name]),
);

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The two frames of a message.
 * @throws {RangeError} If the body is larger than its opcode allows, or the job id is no safe integer.
 */
export function encode<N extends MessageName>(
  name: N,
  jobId: number,
  body: MessageBody<N>,
): [header: Uint8Array, body: Uint8Array] {
  return encodeJson(name, jobId, JSON.stringify(body));
}

/** As {@link encode}, for a body that already is JSON: DISPATCH reuses its plugin's part. */
export function encodeJson(
  name: MessageName,
  jobId: number,
  json: string,
): [header: Uint8Array, body: Uint8Array] {
  const payload = encoder.encode(json);
  const { opcode, bodyBytesMax } = MESSAGES[name];
  if (payload.length > bodyBytesMax) {
    throw new RangeError(
      `Cannot send ${name} as its payload must be at most ${bodyBytesMax} bytes: got ${payload.length}`,
    );
  }
  if (!Number.isSafeInteger(jobId) || jobId < 0) {
    throw new RangeError(`Cannot send ${name} as its job id must be a safe integer: got ${jobId}`);
  }
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint8(AT.version, VERSION);
  view.setUint8(AT.opcode, opcode);
  view.setBigUint64(AT.jobId, BigInt(jobId));
  view.setUint32(AT.bodyBytes, payload.length);
  return [header, payload];
}

/**
 * Reads one message from its frames, without the ROUTER's identity frame.
 * @throws {ProtocolError} On any bytes that are not exactly one valid message.
 */
export function decode(frames: readonly Uint8Array[]): Message {
  const [header, payload] = frames;
  if (frames.length !== 2 || !header || !payload) {
    throw new ProtocolError("message", "2 frames (header, payload)", frames.length);
  }
  const { name, jobId, bodyBytes } = decodeHeader(header);
  if (payload.length !== bodyBytes) {
    throw new ProtocolError("payload", `${bodyBytes} bytes as its header says`, payload.length);
  }
  return { name, jobId, body: decodeBody(name, payload) } as Message;
}

export function decodeHeader(
  bytes: Uint8Array,
): { name: MessageName; jobId: number; bodyBytes: number } {
  if (bytes.length !== HEADER_BYTES) {
    throw new ProtocolError("header", `${HEADER_BYTES} bytes`, bytes.length);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint8(AT.version);
  if (version !== VERSION) throw new ProtocolError("version", `${VERSION}`, version);
  const opcode = view.getUint8(AT.opcode);
  const name = NAMES.get(opcode);
  if (!name) throw new ProtocolError("opcode", "one of PROTOCOL.md's", opcode);
  const jobId = view.getBigUint64(AT.jobId);
  if (jobId > BigInt(ID_MAX)) throw new ProtocolError("job id", `<= ${ID_MAX}`, jobId);
  const bodyBytes = view.getUint32(AT.bodyBytes);
  const { bodyBytesMax } = MESSAGES[name];
  if (bodyBytes > bodyBytesMax) {
    throw new ProtocolError("payload length", `<= ${bodyBytesMax} for ${name}`, bodyBytes);
  }
  return { name, jobId: Number(jobId), bodyBytes };
}

function decodeBody(name: MessageName, payload: Uint8Array): unknown {
  const parsed = MESSAGES[name].body.safeParse(parseJson(name, payload));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue?.path.join(".") || "payload";
  throw new ProtocolError(`${name} ${where}`, "what its schema says", issue?.message);
}

function parseJson(name: MessageName, payload: Uint8Array): unknown {
  // An empty payload stands for an empty object: plain v4 peers send HEARTBEAT and RELOAD so.
  if (payload.length === 0) return {};
  checkJsonBounds(`${name} payload`, payload);
  try {
    return JSON.parse(decoder.decode(payload));
  } catch (cause) {
    throw new ProtocolError(`${name} payload`, "UTF-8 JSON", (cause as Error).message, { cause });
  }
}
