/** The worker's end of the bridge: a Unix socket that a template's children connect to. */
import { BridgeError, type BridgeFrame, BridgeParser, encodeRequest } from "../protocol/bridge.ts";
import { SHIM_BATCH_BYTES_MAX } from "../protocol/ids.ts";

const HELLO_BYTES_MAX = 256;
const HELLO_LIMIT_MS = 5_000;
/** Connections that have not said yet who they are: a plugin may open any number, each costs a descriptor. */
const STRANGERS_MAX = 64;
const ACCEPT_AGAIN_MS = 50;
/**
 * How long a frame may take once it has begun, not counting the time that we do not read. The shim hands
 * it over in one go; a plugin that sends a byte now and then would hold memory for as long as it likes.
 */
const FRAME_MS_MAX = 30_000;
const READ_BYTES = 256 * 1024;
/** The kernel's own bound is 108 with the closing zero; a little less leaves room for other systems. */
const SOCKET_PATH_BYTES_MAX = 100;

/**
 * Waits for the children that were announced by `expect()` and turns everybody else away. Names are
 * secrets between the worker and one child, so no plugin can speak in the place of another.
 */
export class BridgeServer {
  readonly #expected = new Map<string, PromiseWithResolvers<BridgeConnection>>();
  readonly #strangers = new Set<Deno.UnixConn>();
  readonly #listener: Deno.UnixListener;
  #closed = false;

  /**
   * @param path Absolute, in a folder of mode 0700 that is the socket's own.
   * @throws {RangeError} If the path is too long for a socket.
   */
  constructor(readonly path: string) {
    const bytes = new TextEncoder().encode(path).length;
    if (bytes > SOCKET_PATH_BYTES_MAX) {
      throw new RangeError(
        `Cannot listen on ${path} as a socket's path must have at most ${SOCKET_PATH_BYTES_MAX} ` +
          `bytes: got ${bytes}; use a run folder with a shorter path`,
      );
    }
    this.#listener = Deno.listen({ transport: "unix", path });
    this.#accept();
  }

  /** Resolves when the child of this name has connected; rejects when the server is closed. */
  expect(child: string): Promise<BridgeConnection> {
    const expected = Promise.withResolvers<BridgeConnection>();
    this.#expected.set(child, expected);
    return expected.promise;
  }

  /** The child will not come any more. */
  forget(child: string, reason: Error): void {
    this.#expected.get(child)?.reject(reason);
    this.#expected.delete(child);
  }

  /** May be called twice. Connections that were handed out stay open. */
  close(): void {
    for (const child of [...this.#expected.keys()]) {
      this.forget(child, new Error(`Cannot connect child ${child} as its template has ended`));
    }
    this.#closed = true;
    for (const stranger of this.#strangers) closeQuietly(stranger);
    try {
      this.#listener.close();
    } catch {
      // closed before
    }
  }

  async #accept(): Promise<void> {
    while (!this.#closed) {
      try {
        this.#welcome(await this.#listener.accept());
      } catch {
        // Closed; or no descriptor is free just now, and whoever waits to be let in goes on waiting.
        if (!this.#closed) await new Promise((resolve) => setTimeout(resolve, ACCEPT_AGAIN_MS));
      }
    }
  }

  async #welcome(connection: Deno.UnixConn): Promise<void> {
    this.#strangers.add(connection);
    this.#turnAwayOldest();
    const limit = setTimeout(() => closeQuietly(connection), HELLO_LIMIT_MS);
    const child = await readHello(connection).catch(() => undefined);
    clearTimeout(limit);
    this.#strangers.delete(connection);
    const expected = child === undefined ? undefined : this.#expected.get(child);
    if (child === undefined || expected === undefined) return closeQuietly(connection);
    this.#expected.delete(child);
    expected.resolve(new BridgeConnection(connection));
  }

  /** A child says its name at once: whoever has been silent for longest is none. */
  #turnAwayOldest(): void {
    if (this.#strangers.size <= STRANGERS_MAX) return;
    const [oldest] = this.#strangers;
    this.#strangers.delete(oldest!);
    closeQuietly(oldest!);
  }
}

/** Called before a batch larger than any that the shim would send but for a single row is gathered. */
export type BeforeLarge = () => Promise<void>;

/** One child's connection: requests out, frames in, one job after the other. */
export class BridgeConnection {
  readonly #parser = new BridgeParser();
  readonly #buffer = new Uint8Array(READ_BYTES);
  /** The next one at the end. */
  #parsed: BridgeFrame[] = [];
  /** How long the frame that has begun was waited for. */
  #waitedMs = 0;

  constructor(
    private readonly connection: Deno.UnixConn,
    private readonly frameMsMax = FRAME_MS_MAX,
  ) {}

  async send(request: unknown): Promise<void> {
    const bytes = encodeRequest(request);
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.connection.write(bytes.subarray(sent));
    }
  }

  /**
   * The frames of one job, up to and with its "end" or "error". The socket is read only when a frame
   * is asked for, so a slow consumer holds the plugin back and not more than one read waits in memory.
   * Ends early if the child's end of the connection was closed, be it inside a frame.
   * @throws {BridgeError} If the child broke the framing, or leaves a frame unfinished for too long.
   */
  async *frames(beforeLarge: BeforeLarge = async () => {}): AsyncGenerator<BridgeFrame, void> {
    for (;;) {
      for (let frame = this.#parsed.pop(); frame; frame = this.#parsed.pop()) {
        yield frame;
        if (frame.type === "end" || frame.type === "error") return;
      }
      if (this.#parser.batchBytes > SHIM_BATCH_BYTES_MAX) await beforeLarge();
      const bytes = await this.#read();
      if (bytes === null) return;
      this.#parsed = this.#parser.push(this.#buffer.subarray(0, bytes)).reverse();
      if (this.#parsed.length > 0) this.#waitedMs = 0;
    }
  }

  /** Whether the child sent nothing after its job's last frame; if it did, it can't be trusted. */
  get idle(): boolean {
    return this.#parsed.length === 0 && this.#parser.idle;
  }

  /** Ends a read that waits, with an error. May be called twice. */
  close(): void {
    closeQuietly(this.connection);
  }

  /** Null at the end of the stream. Between frames it may wait for ever: that is the job's own affair. */
  async #read(): Promise<number | null> {
    if (this.#parser.idle) return await this.#readOnce();
    const startMs = performance.now();
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(this.#lateFrame()),
      this.frameMsMax - this.#waitedMs,
    );
    try {
      return await Promise.race([this.#readOnce(), late.promise]);
    } finally {
      clearTimeout(timer);
      this.#waitedMs += performance.now() - startMs;
    }
  }

  #readOnce(): Promise<number | null> {
    return this.connection.read(this.#buffer).catch(() => null); // reset, or closed here
  }

  #lateFrame(): BridgeError {
    this.close();
    return new BridgeError("frame", `whole within ${this.frameMsMax / 1000} s`, "a part of it");
  }
}

async function readHello(connection: Deno.UnixConn): Promise<string> {
  // Byte by byte: what follows the line belongs to the first job.
  const line: number[] = [];
  for (const byte = new Uint8Array(1); line.length < HELLO_BYTES_MAX;) {
    if (await connection.read(byte) === null) throw new Error("closed");
    if (byte[0] === 0x0a) break;
    line.push(byte[0]!);
  }
  return String(JSON.parse(new TextDecoder().decode(Uint8Array.from(line))).child);
}

function closeQuietly(connection: Deno.UnixConn): void {
  try {
    connection.close();
  } catch {
    // closed before
  }
}
