/** The hosts of one site: a sentinel with all of this machine's files, and workers with a bundle and no more. */
import { DuckDBInstance } from "@duckdb/node-api";
import { join } from "node:path";
import { RELEASE } from "../../../protocol/release.ts";
import { eventually, PROJECT } from "../casparian.ts";
import { Host, type Mount } from "./hosts.ts";
import { wheelFolder } from "./wheels.ts";

export const USER = 4242;
const PORT = 5555;
const CONSENT = ["--insecure-tcp", "--yes-really"];
const OLD_S = 1_700_000_000;

/** A worker's bundle on its host, in a folder with a space. */
export const BUNDLE = `/opt/of casparian/casparian-worker-${RELEASE}-linux-${
  Deno.build.arch === "aarch64" ? "arm64" : "x64"
}`;
export const SLOTS = 2;

export class Site implements AsyncDisposable {
  readonly input: string;
  readonly tables: string;
  readonly #opened = new AsyncDisposableStack();
  sentinelHost!: Host;
  sentinel!: Deno.ChildProcess;

  private constructor(readonly folder: string) {
    [this.input, this.tables] = [join(folder, "in"), join(folder, "tables")];
  }

  static async open(): Promise<Site> {
    const site = new Site(await Deno.makeTempDir({ prefix: "cf-" }));
    await Deno.chmod(site.folder, 0o755);
    for (const name of ["in", "tables", "opt", "root-a", "root-b", "state-a", "state-b"]) {
      await Deno.mkdir(join(site.folder, name));
    }
    for (const name of ["tables", "opt", "state-a", "state-b"]) {
      await Deno.chown(join(site.folder, name), USER, USER);
    }
    site.sentinelHost = site.#opened.use(await Host.open("sentinel"));
    return site;
  }

  async startSentinel(): Promise<void> {
    const listen = ["--listen", `tcp://0.0.0.0:${PORT}`, ...CONSENT];
    const state = join(this.folder, "state");
    this.sentinel = this.#casparian(
      "sentinel",
      ...listen,
      "--state",
      state,
      "--root",
      `in=${this.input}`,
    );
    keep(this.sentinel);
    await eventually("the sentinel listens", () => isThere(join(state, "sentinel.json")));
  }

  /** @param mounts Beside Python, its state and the wheels. */
  async openWorkerHost(name: "a" | "b", network: number, mounts: readonly Mount[]): Promise<Host> {
    const root = join(this.folder, `root-${name}`);
    const host = this.#opened.use(
      await Host.openInEmptyRoot(name, root, [
        ["ro", await wheelFolder(), "/srv/wheels"],
        ["rw", join(this.folder, `state-${name}`), "/var/casparian"],
        ...mounts,
      ]),
    );
    await this.sentinelHost.connect(host, network);
    return host;
  }

  startWorker(host: Host, network: number, input: string, tables: string): Deno.ChildProcess {
    const maps = ["--map", `in=${input}`, "--map", `output=${tables}`];
    const connect = ["--connect", `tcp://10.99.${network}.1:${PORT}`, ...CONSENT];
    const args = [
      "worker",
      ...connect,
      ...maps,
      "--state",
      "/var/casparian",
      "--slots",
      `${SLOTS}`,
    ];
    const env = { UV_OFFLINE: "1", UV_FIND_LINKS: "/srv/wheels" };
    const program = host.spawn([`${BUNDLE}/casparian`, ...args], { user: USER, env });
    keep(program);
    return program;
  }

  // deno-lint-ignore no-explicit-any
  async ask(...args: string[]): Promise<any> {
    const program = this.#casparian(...args, "--state", join(this.folder, "state"), "--json");
    const { code, stdout, stderr } = await program.output();
    const decoder = new TextDecoder();
    if (code !== 0) {
      throw new Error(
        `casparian ${args.join(" ")}: ${decoder.decode(stdout)}${decoder.decode(stderr)}${
          said.join("")
        }`,
      );
    }
    return JSON.parse(decoder.decode(stdout));
  }

  #casparian(...args: string[]): Deno.ChildProcess {
    const task = ["task", "--quiet", `--config=${join(PROJECT, "deno.json")}`, "casparian"];
    const env = { ...Deno.env.toObject(), INIT_CWD: this.folder, NO_COLOR: "1" };
    return this.sentinelHost.spawn([Deno.execPath(), ...task, ...args], { env });
  }

  /** @param mark Ends the words of a file, so that it can be changed. */
  async addFiles(names: readonly string[], gate: string, mark = ""): Promise<void> {
    for (const name of names) {
      const path = join(this.input, `${name}.job`);
      await Deno.writeTextFile(path, `${gate} ${name}-1${mark} ${name}-2${mark}`);
      await Deno.utime(path, OLD_S, OLD_S);
    }
    await this.ask("scan");
  }

  async openGate(gate: string): Promise<void> {
    await Deno.writeTextFile(join(this.input, gate), "");
  }

  /** Jobs that run, by the host that runs them. */
  async running(): Promise<Record<string, number>> {
    const { workers } = await this.ask("workers");
    const seen = workers as { host: string; running: number; connected: boolean }[];
    return Object.fromEntries(seen.map(({ host, running }) => [host, running]));
  }

  async isConnected(name: string): Promise<boolean> {
    const { workers } = await this.ask("workers");
    return workers.some((each: { host: string; connected: boolean }) =>
      each.host === name && each.connected
    );
  }

  async completed(): Promise<number> {
    return (await this.ask("status")).jobs.COMPLETED;
  }

  async isIdle(): Promise<boolean> {
    return (await this.ask("status")).idle;
  }

  async staged(): Promise<string[]> {
    const folder = join(this.tables, "lines", ".staging");
    return await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  }

  /** Every row that a reader of the shared folder sees, sorted. */
  async rows(): Promise<{ word: string; host: string }[]> {
    const duckdb = await DuckDBInstance.create(":memory:");
    const connection = await duckdb.connect();
    try {
      const files = join(this.tables, "lines", "*.parquet");
      const read = await connection.runAndReadAll(
        `SELECT word, host FROM '${files}' ORDER BY word`,
      );
      return read.getRowObjects() as { word: string; host: string }[];
    } finally {
      connection.closeSync();
      duckdb.closeSync();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** A program's output must be read, or it stands still when the pipe is full. */
function keep(program: Deno.ChildProcess): void {
  for (const stream of [program.stdout, program.stderr]) {
    stream.pipeThrough(new TextDecoderStream()).pipeTo(
      new WritableStream({ write: (text) => void said.push(text) }),
    ).catch(() => {});
  }
}
const said: string[] = [];

const isThere = (path: string) => Deno.stat(path).then(() => true, () => false);
