/**
 * The bridge: frames that the Python shim sends to its worker over a Unix socket, and the requests
 * that the worker sends back. Pure: bytes in, frames out, no socket. Everything is big endian.
 *
 *     [length u32][Arrow IPC stream of that length]       a batch for the current topic
 *     [0]                                                 end of output: the only sign of success
 *     [0xFFFFFFFF][length u32][utf8]                      error, the job has failed
 *     [0xFFFFFFFE][level u8][length u32][utf8]            log
 *     [0xFFFFFFFD][length u32][utf8]                      topic of the batches that follow
 *     [0xFFFFFFFC][length u32][json object]               progress
 *
 * The peer runs a user's code, so no length is believed: each is bounded before anything is
 * allocated, and a buffer grows only as its bytes arrive.
 * @see PROTOCOL.md, "Bridge", the same table that shim/bridge_shim.py follows.
 */

/** Index is the level on the wire. */
export const BRIDGE_LOG_LEVELS = ["stdout", "stderr", "debug", "info", "warning", "error"] as const;
export type BridgeLogLevel = 0 | 1 | 2 | 3 | 4 | 5;

export type BridgeFrame =
  /** `bytes` fills a buffer of its own, so it can be transferred to another thread. */
  | { type: "batch"; bytes: Uint8Array<ArrayBuffer> }
  | { type: "end" }
  | { type: "error"; message: string }
  | { type: "log"; level: BridgeLogLevel; text: string }
  | { type: "topic"; topic: string }
  | { type: "progress"; json: Record<string, unknown> };

/** The shim broke the framing: its job has failed and its connection can't be used any further. */
export class BridgeError extends Error {
  override name = "BridgeError";
  constructor(
    readonly part: string,
    readonly must: string,
    readonly got: unknown,
    options?: ErrorOptions,
  ) {
    super(`Cannot read bridge ${part} as it must be ${must}: got ${got}`, options);
  }
}

export const BATCH_BYTES_MAX = 256 * 1024 * 1024;
/** Of an error, a log message, a topic or a progress report; the shim itself keeps to 64 KiB. */
export const TEXT_BYTES_MAX = 1024 * 1024;

const MARK = {
  end: 0,
  error: 0xffffffff,
  log: 0xfffffffe,
  topic: 0xfffffffd,
  progress: 0xfffffffc,
};
const LOWEST_MARK = MARK.progress;
type TextType = "error" | "log" | "topic" | "progress";
const TEXT_TYPES = new Map<number, TextType>([
  [MARK.error, "error"],
  [MARK.log, "log"],
  [MARK.topic, "topic"],
  [MARK.progress, "progress"],
]);

/** What the bytes being gathered are: a mark first, then perhaps a prefix (level, length), a body. */
type Stage =
  | { part: "mark" }
  | { part: "prefix"; type: TextType }
  | { part: "batch" }
  | { part: "text"; type: TextType; level: BridgeLogLevel };

/** Turns chunks of any size into frames; the same bytes give the same frames however they are cut. */
export class BridgeParser {
  readonly #batchBytesMax: number;
  #stage: Stage = { part: "mark" };
  #gathered = new Gathering(4);
  #failure: BridgeError | undefined;

  /** @param options.frameBytesMax Largest batch accepted, in bytes; 256 MiB unless told. */
  constructor(options: { frameBytesMax?: number } = {}) {
    const bytesMax = options.frameBytesMax ?? BATCH_BYTES_MAX;
    if (!(bytesMax > 0 && bytesMax < LOWEST_MARK)) {
      throw new RangeError(`Cannot bound frames as the bound must be 1..2^32-5: got ${bytesMax}`);
    }
    this.#batchBytesMax = bytesMax;
  }

  /**
   * @returns The frames that this chunk completed, in order. The chunk may be reused afterwards.
   * @throws {BridgeError} Once the bytes break the framing, and at every later call.
   */
  push(chunk: Uint8Array): BridgeFrame[] {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return this.#read(chunk);
    } catch (error) {
      this.#gathered = new Gathering(0); // a half-gathered batch may be large
      if (error instanceof BridgeError) this.#failure = error;
      throw error;
    }
  }

  /** @throws {BridgeError} If the bytes stopped inside a frame, or broke the framing before. */
  finish(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.idle) return;
    const { bytes, filled } = this.#gathered;
    throw new BridgeError(this.#stage.part, `${bytes} bytes`, `${filled} before the stream ended`);
  }

  /** Whether the bytes so far end exactly with a frame. */
  get idle(): boolean {
    return this.#stage.part === "mark" && this.#gathered.filled === 0;
  }

  /** Bytes of the batch that is being gathered, as announced; 0 outside of one. */
  get batchBytes(): number {
    return this.#stage.part === "batch" ? this.#gathered.bytes : 0;
  }

  #read(chunk: Uint8Array): BridgeFrame[] {
    const frames: BridgeFrame[] = [];
    for (let rest = chunk;;) {
      rest = this.#gathered.take(rest);
      if (!this.#gathered.full) return frames;
      const frame = this.#step(this.#gathered.finished());
      if (frame !== undefined) frames.push(frame);
    }
  }

  /** Uses the part just gathered: either it completes a frame or it says what comes next. */
  #step(bytes: Uint8Array<ArrayBuffer>): BridgeFrame | undefined {
    switch (this.#stage.part) {
      case "mark":
        return this.#readMark(readU32(bytes, 0));
      case "prefix":
        return this.#readPrefix(this.#stage.type, bytes);
      case "batch":
        this.#expect({ part: "mark" }, 4);
        return { type: "batch", bytes };
      case "text": {
        const { type, level } = this.#stage;
        this.#expect({ part: "mark" }, 4);
        return textFrame(type, level, bytes);
      }
    }
  }

  #readMark(mark: number): BridgeFrame | undefined {
    if (mark === MARK.end) {
      this.#expect({ part: "mark" }, 4);
      return { type: "end" };
    }
    const type = TEXT_TYPES.get(mark);
    if (type !== undefined) {
      this.#expect({ part: "prefix", type }, type === "log" ? 5 : 4);
      return;
    }
    if (mark > this.#batchBytesMax) {
      throw new BridgeError("batch", `at most ${this.#batchBytesMax} bytes`, mark);
    }
    this.#expect({ part: "batch" }, mark);
  }

  #readPrefix(type: TextType, bytes: Uint8Array): undefined {
    const level = type === "log" ? bytes[0]! : 0;
    if (!isLogLevel(level)) throw new BridgeError("log level", "0 to 5", level);
    const textBytes = readU32(bytes, type === "log" ? 1 : 0);
    if (textBytes > TEXT_BYTES_MAX) {
      throw new BridgeError(type, `at most ${TEXT_BYTES_MAX} bytes`, textBytes);
    }
    this.#expect({ part: "text", type, level }, textBytes);
  }

  #expect(stage: Stage, bytes: number): void {
    this.#stage = stage;
    this.#gathered = new Gathering(bytes);
  }
}

/** Below this a buffer is made at once; above, it doubles as bytes come. */
const TRUSTED_BYTES = 1024 * 1024;

/** One part whose length is announced. It holds at most twice the bytes that really came. */
class Gathering {
  filled = 0;
  #buffer: Uint8Array<ArrayBuffer>;

  constructor(readonly bytes: number) {
    this.#buffer = new Uint8Array(Math.min(bytes, TRUSTED_BYTES));
  }

  get full(): boolean {
    return this.filled === this.bytes;
  }

  /** Copies what belongs to this part and returns the rest. */
  take(chunk: Uint8Array): Uint8Array {
    const taken = chunk.subarray(0, this.bytes - this.filled);
    this.#reserve(this.filled + taken.length);
    this.#buffer.set(taken, this.filled);
    this.filled += taken.length;
    return chunk.subarray(taken.length);
  }

  finished(): Uint8Array<ArrayBuffer> {
    return this.#buffer;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#buffer.length) return;
    const capacity = Math.min(this.bytes, Math.max(bytes, 2 * this.#buffer.length));
    this.#buffer = new Uint8Array(this.#buffer.buffer.transfer(capacity));
  }
}

function textFrame(type: TextType, level: BridgeLogLevel, bytes: Uint8Array): BridgeFrame {
  switch (type) {
    case "error":
      return { type, message: lenientText.decode(bytes) };
    case "log":
      return { type, level, text: lenientText.decode(bytes) };
    case "topic":
      return { type, topic: strictUtf8("topic", bytes) };
    case "progress":
      return { type, json: jsonObject(strictUtf8("progress", bytes)) };
  }
}

// A plugin may print any bytes, and a broken character must not cost the user the message.
const lenientText = new TextDecoder("utf-8", { ignoreBOM: true });
const strictText = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

function strictUtf8(part: string, bytes: Uint8Array): string {
  try {
    return strictText.decode(bytes);
  } catch (cause) {
    throw new BridgeError(part, "UTF-8", `${bytes.length} bytes that are not`, { cause });
  }
}

function jsonObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BridgeError("progress", "JSON", JSON.stringify(text.slice(0, 80)), { cause });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new BridgeError("progress", "a JSON object", JSON.stringify(text.slice(0, 80)));
}

function isLogLevel(level: number): level is BridgeLogLevel {
  return level < BRIDGE_LOG_LEVELS.length;
}

function readU32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
}

/** One request of the worker to a warm child: `[length u32][json]`. */
export function encodeRequest(request: unknown): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(JSON.stringify(request));
  return join(u32(json.length), json);
}

/** What the shim sends; the other side of `BridgeParser`, for tests and for stand-in plugins. */
export function encodeFrame(frame: BridgeFrame): Uint8Array<ArrayBuffer> {
  switch (frame.type) {
    case "end":
      return u32(MARK.end);
    case "batch":
      if (frame.bytes.length === 0) throw new RangeError("Cannot encode a batch of 0 bytes");
      return join(u32(frame.bytes.length), frame.bytes);
    case "error":
      return encodeText(MARK.error, frame.message);
    case "log":
      return encodeText(MARK.log, frame.text, Uint8Array.of(frame.level));
    case "topic":
      return encodeText(MARK.topic, frame.topic);
    case "progress":
      return encodeText(MARK.progress, JSON.stringify(frame.json));
  }
}

function encodeText(
  mark: number,
  text: string,
  level = new Uint8Array(0),
): Uint8Array<ArrayBuffer> {
  const body = new TextEncoder().encode(text);
  return join(u32(mark), level, u32(body.length), body);
}

function u32(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function join(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
