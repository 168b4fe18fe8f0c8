/** The worker's end of the bridge: a Unix socket that a template's children connect to. */
import { type BridgeFrame, BridgeParser, encodeRequest } from "../protocol/bridge.ts";

const HELLO_BYTES_MAX = 256;
const HELLO_LIMIT_MS = 5_000;
const READ_BYTES = 256 * 1024;
/** The kernel's own bound is 108 with the closing zero; a little less leaves room for other systems. */
const SOCKET_PATH_BYTES_MAX = 100;

/**
 * Waits for the children that were announced by `expect()` and turns everybody else away. Names are
 * secrets between the worker and one child, so no plugin can speak in the place of another.
 */
export class BridgeServer {
  readonly #expected = new Map<string, PromiseWithResolvers<BridgeConnection>>();
  readonly #listener: Deno.UnixListener;

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
    try {
      this.#listener.close();
    } catch {
      // closed before
    }
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) this.#welcome(connection);
  }

  async #welcome(connection: Deno.UnixConn): Promise<void> {
    const limit = setTimeout(() => connection.close(), HELLO_LIMIT_MS);
    const child = await readHello(connection).catch(() => undefined);
    clearTimeout(limit);
    const expected = child === undefined ? undefined : this.#expected.get(child);
    if (child === undefined || expected === undefined) return closeQuietly(connection);
    this.#expected.delete(child);
    expected.resolve(new BridgeConnection(connection));
  }
}

/** One child's connection: requests out, frames in, one job after the other. */
export class BridgeConnection {
  readonly #parser = new BridgeParser();
  readonly #buffer = new Uint8Array(READ_BYTES);
  #parsed: BridgeFrame[] = [];

  constructor(private readonly connection: Deno.UnixConn) {}

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
   * @throws {BridgeError} If the child broke the framing.
   */
  async *frames(): AsyncGenerator<BridgeFrame, void> {
    for (;;) {
      for (let frame = this.#parsed.shift(); frame; frame = this.#parsed.shift()) {
        yield frame;
        if (frame.type === "end" || frame.type === "error") return;
      }
      const bytes = await this.connection.read(this.#buffer).catch(() => null); // reset, or closed here
      if (bytes === null) return;
      this.#parsed = this.#parser.push(this.#buffer.subarray(0, bytes));
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
