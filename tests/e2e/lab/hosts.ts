/**
 * Hosts made of namespaces: each has its own network, processes, name and, if it is told so, a root with
 * nothing but what it is given. All of a host ends with its first process, however the test ends.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findHostPython } from "../../../worker/host_python.ts";
import { testEnvironment } from "../../../worker/test_tools.ts";

const HOST_SCRIPT = fileURLToPath(new URL("host.sh", import.meta.url));
const CABLES = fileURLToPath(new URL("veth.py", import.meta.url));

const python = await findHostPython(await testEnvironment());

/** Of the hosts' programs; `python3` is that of this machine. */
const PATH = `${dirname(python.path)}:/usr/bin:/bin`;

export type Mount = readonly ["ro" | "rw" | "link", source: string, path: string];

/** What a host's own programs may be; a POSIX system has them all. */
const TOOLS = [
  ...["sh", "env", "cat", "cp", "dirname", "ln", "mkdir", "mount", "pivot_root", "readlink"],
  ...["rmdir", "setpriv", "true", "umount", "unshare"],
];
const LIBRARIES = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Who runs it; root without one. */
  readonly user?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export class Host implements AsyncDisposable {
  private constructor(
    readonly name: string,
    /** Of the host's first process, as the test sees it. */
    readonly pid: number,
    private readonly holder: Deno.ChildProcess,
  ) {}

  /** One that sees all files: only network, processes and name are its own. */
  static async open(name: string): Promise<Host> {
    const script = 'echo "$1" >/proc/sys/kernel/hostname; echo ready; exec sleep infinity';
    return await Host.#start(name, ["sh", "-c", script, "sh", name]);
  }

  /** @param root An empty folder. @param mounts All that it sees beside tools and libraries. */
  static async openInEmptyRoot(
    name: string,
    root: string,
    mounts: readonly Mount[],
  ): Promise<Host> {
    const all = [...systemMounts(), ...mounts].flat();
    return await Host.#start(name, [HOST_SCRIPT, name, root, ...all]);
  }

  static async #start(name: string, argv: readonly string[]): Promise<Host> {
    const namespaces = ["--net", "--pid", "--mount", "--uts", "--ipc", "--fork", "--kill-child"];
    const holder = new Deno.Command("unshare", {
      args: [...namespaces, ...argv],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      clearEnv: true,
      env: { PATH: `${dirname(python.path)}:${Deno.env.get("PATH")}:/usr/sbin:/sbin` },
    }).spawn();
    if (await firstLine(holder.stdout) !== "ready") {
      throw new Error(`Cannot make the host ${name}: ${await new Response(holder.stderr).text()}`);
    }
    const children = Deno.readTextFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`);
    const host = new Host(name, Number(children.trim()), holder);
    await host.cable("up", "lo");
    return host;
  }

  /** Starts a program on this host, with only the environment that it is given. */
  spawn(
    argv: readonly string[],
    { user, env = {}, cwd = "/" }: RunOptions = {},
  ): Deno.ChildProcess {
    const as = ["setpriv", "--reuid", `${user}`, "--regid", `${user}`, "--clear-groups", "--"];
    const words = Object.entries({ PATH, ...env }).map(([k, v]) => `${k}=${v}`);
    return new Deno.Command("nsenter", {
      args: [
        ...["--target", `${this.pid}`, "--net", "--pid", "--mount", "--uts", "--ipc", "--root"],
        ...["--", ...user === undefined ? [] : as, "env", "-i", "-C", cwd, ...words, ...argv],
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  async run(argv: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const { code, stdout, stderr } = await this.spawn(argv, options).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /** Lays a cable of its own to another host: 10.99.NETWORK.1 here, 10.99.NETWORK.2 there. */
  async connect(other: Host, network: number): Promise<void> {
    await this.cable("pair", cableTo(other), "eth0", `${other.pid}`);
    await this.cable("address", cableTo(other), `10.99.${network}.1`);
    await other.cable("address", "eth0", `10.99.${network}.2`);
  }

  /** Pulls the cable out at this end, or plugs it in again: packets vanish, no connection is closed. */
  async cut(other: Host): Promise<void> {
    await this.cable("down", cableTo(other));
  }

  async mend(other: Host): Promise<void> {
    await this.cable("up", cableTo(other));
  }

  /** By this machine's Python and files, in the host's network. */
  async cable(...args: string[]): Promise<void> {
    const { success, stderr } = await new Deno.Command("nsenter", {
      args: ["--target", `${this.pid}`, "--net", python.path, "-I", CABLES, ...args],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
  }

  /** Command lines of all that runs on this host, but for its first process. */
  processes(): string[] {
    const namespace = Deno.readLinkSync(`/proc/${this.pid}/ns/net`);
    return [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
      try {
        const isHere = ![this.pid, this.holder.pid].includes(Number(name)) &&
          Deno.readLinkSync(`/proc/${name}/ns/net`) === namespace;
        return isHere ? [Deno.readTextFileSync(`/proc/${name}/cmdline`).replaceAll("\0", " ")] : [];
      } catch {
        return []; // no process, or one that has ended meanwhile
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.holder.kill("SIGKILL");
    } catch {
      // it has ended
    }
    const { status, stdout, stderr } = this.holder;
    await Promise.allSettled([status, stdout.cancel(), stderr.cancel()]);
  }
}

/** Sends a signal to what was started by {@linkcode Host.spawn}, not to the nsenter around it. */
export function signal(child: Deno.ChildProcess, name: Deno.Signal): void {
  const children = Deno.readTextFileSync(`/proc/${child.pid}/task/${child.pid}/children`).trim();
  Deno.kill(Number(children), name);
}

/** Why this machine cannot make hosts; null if it can. */
export async function labRefusal(): Promise<string | null> {
  if (Deno.build.os !== "linux") return `needs Linux: this is ${Deno.build.os}`;
  if (Deno.uid() !== 0) return "needs root to make namespaces with cables between them";
  try {
    await using one = await Host.open("one");
    await using other = await Host.open("other");
    await one.connect(other, 1);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

function cableTo({ name }: Host): string {
  return `to-${name}`;
}

/** Each tool and library folder where this machine has it; a folder that is a link stays one. */
function systemMounts(): Mount[] {
  const path = `${Deno.env.get("PATH")}:/usr/sbin:/sbin`.split(":");
  const tools = TOOLS.map((tool): Mount => {
    const found = path.map((folder) => join(folder, tool)).find(exists);
    if (found === undefined) throw new Error(`Cannot make a host as this one lacks ${tool}`);
    return ["ro", Deno.realPathSync(found), `/usr/bin/${tool}`];
  });
  const libraries = LIBRARIES.filter(exists).map((folder): Mount => {
    const isLink = Deno.lstatSync(folder).isSymlink;
    return isLink ? ["link", Deno.readLinkSync(folder), folder] : ["ro", folder, folder];
  });
  return [...libraries, ...tools, ["link", "usr/bin", "/bin"], ...pythonMounts()];
}

/** Python with its own library, and with no package but those that come with it. */
function pythonMounts(): Mount[] {
  const prefixes = python.prefixes.filter((prefix) => prefix !== "/usr");
  if (prefixes.length > 0) return prefixes.map((prefix) => ["ro", prefix, prefix]);
  const interpreter = Deno.realPathSync(python.path);
  return [["ro", interpreter, interpreter], ["link", interpreter, "/usr/bin/python3"]];
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path) !== null;
  } catch {
    return false;
  }
}

async function firstLine(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  const reader = stream.getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) break;
    text += new TextDecoder().decode(value);
  }
  reader.releaseLock();
  return text.split("\n")[0]!;
}
