/**
 * The other process of the ZeroMQ tests: echoes every message, until it is killed.
 *
 * Arguments: `router ADDRESS` binds; `dealer ADDRESS IDENTITY` connects and says "hello" first. Both print
 * the endpoint in one line once they are up. The message "usage" is answered with the CPU time used so far,
 * in microseconds, as text.
 */
import { cpuUsage } from "node:process";
import { fileURLToPath } from "node:url";
import { zeromqAddonCandidates, ZmqContext } from "../../protocol/zeromq.ts";

const FRAME_BYTES_MAX = 128 * 1024 * 1024;
const BATCH = 256;

/** A running peer; leaving its scope kills it. */
export class Peer implements AsyncDisposable {
  private constructor(private readonly child: Deno.ChildProcess, readonly endpoint: string) {}

  /** Resolves once the peer is bound or connecting. */
  static async start(...args: string[]): Promise<Peer> {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--allow-read",
        `--allow-ffi=${zeromqAddonCandidates().join(",")}`,
        fileURLToPath(import.meta.url),
        ...args,
      ],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value } = await lines.read();
    await lines.cancel();
    if (value === undefined) throw new Error(`Cannot start peer ${args}: it printed nothing`);
    return new Peer(child, value.trim());
  }

  /** Ends it as `kill -9` does, and waits until it is gone. */
  async kill(): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended already
    }
    await this.child.status;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

async function echo(type: string, address: string, identity: string): Promise<void> {
  const options = { messageBytesMax: FRAME_BYTES_MAX };
  const context = new ZmqContext();
  const socket = type === "router"
    ? context.socket("router", options)
    : context.socket("dealer", { ...options, identity });
  if (type === "router") {
    socket.bind(address);
  } else {
    socket.connect(address);
    socket.send([new TextEncoder().encode("hello")]);
  }
  console.log(socket.endpoint);
  for (;;) {
    for (const { frames } of socket.receive(BATCH)) socket.send(answer(frames));
    await socket.readable();
  }
}

function answer(frames: Uint8Array[]): Uint8Array[] {
  const asked = frames.at(-1)!;
  if (asked.length !== 5 || new TextDecoder().decode(asked) !== "usage") return frames;
  const { user, system } = cpuUsage();
  return [...frames.slice(0, -1), new TextEncoder().encode(`${user + system}`)];
}

if (import.meta.main) {
  const [type = "", address = "", identity = ""] = Deno.args;
  await echo(type, address, identity);
}
