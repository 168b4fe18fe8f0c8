/**
 * One template: a warmed Python that forks children on order (shim/bridge_template.py).
 *
 * It is starting, then ready, then gone; nothing brings it back, the pool starts another. It answers at
 * once or it is stuck: then it is killed, and the kernel ends its children with it. Whatever ends it,
 * `gone` resolves and so does `exited` of each of its children, so nobody waits for a dead process.
 */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { bridgeSocket } from "../security/permissions.ts";
import { BridgeServer } from "./bridge_server.ts";
import { type ChildExit, TemplateError } from "./plugin_run.ts";
import { WarmChild } from "./warm_child.ts";

const SHIM = fileURLToPath(new URL("../shim/bridge_shim.py", import.meta.url));
/** An environment that uv did not compile, on a cold disk, takes seconds. */
const START_LIMIT_MS = 60_000;
const FORK_LIMIT_MS = 10_000;
const STOP_LIMIT_MS = 2_000;
const STDERR_CHARS_MAX = 4 * 1024;

/** What a template gets to see of the host; a sandbox may hide the rest. All paths absolute. */
export interface TemplatePlace {
  readonly interpreterPath: string;
  readonly dataRoots: readonly string[];
  readonly socketsDir: string;
  readonly scratchDir: string;
}

/** Starts a program with standard input, output and error piped. */
export type Launch = (
  argv: string[],
  place: TemplatePlace,
) => Deno.ChildProcess | Promise<Deno.ChildProcess>;

export interface TemplateOptions {
  readonly launch: Launch;
  /** The template's own folder; made here and removed when it is gone. */
  readonly folder: string;
  readonly interpreterPath: string;
  readonly dataRoots: readonly string[];
  /** How long it may leave a ping without an answer. */
  readonly silentMs: number;
  /** Ends it while it is still starting. */
  readonly signal: AbortSignal;
}

type Answer = { event: string; child?: string; n?: number; message?: string };

export class TemplateProcess {
  /** Resolves, with the reason, when it has ended and its folder is removed. */
  readonly gone: Promise<string>;
  isGone = false;
  readonly #commands: WritableStreamDefaultWriter<Uint8Array>;
  readonly #ready = Promise.withResolvers<void>();
  readonly #exits = new Map<string, PromiseWithResolvers<ChildExit | undefined>>();
  readonly #pings = new Map<number, ReturnType<typeof setTimeout>>();
  /** Scratch folders that are being made or removed: two at work in one tree make each other fail. */
  readonly #scratchWork = new Set<Promise<void>>();
  #pingCount = 0;
  #reason: string | undefined;
  #stderr = "";

  /** @throws {TemplateError} If it does not become ready, with what it said. */
  static async start(options: TemplateOptions): Promise<TemplateProcess> {
    const { folder, interpreterPath, dataRoots, signal } = options;
    const socket = bridgeSocket(folder);
    const place = {
      interpreterPath,
      dataRoots,
      socketsDir: dirname(socket),
      scratchDir: `${folder}/scratch`,
    };
    await removeFolder(folder); // a child that died late may have left something of the one before
    for (const made of [folder, place.socketsDir, place.scratchDir]) {
      await Deno.mkdir(made, { mode: 0o700 });
    }
    const server = new BridgeServer(socket);
    try {
      const process = await options.launch([interpreterPath, SHIM, "--template"], place);
      const template = new TemplateProcess(options, place, server, process);
      await template.#becomesReady(signal);
      return template;
    } catch (cause) {
      server.close();
      await removeFolder(folder);
      if (cause instanceof TemplateError) throw cause;
      throw new TemplateError(`Cannot start Python at ${interpreterPath}: ${cause}`, { cause });
    }
  }

  private constructor(
    private readonly options: TemplateOptions,
    private readonly place: TemplatePlace,
    private readonly server: BridgeServer,
    private readonly process: Deno.ChildProcess,
  ) {
    this.#commands = process.stdin.getWriter();
    this.#ready.promise.catch(() => {}); // told by start()
    this.gone = this.#live();
  }

  get pid(): number {
    return this.process.pid;
  }

  /** @throws {TemplateError} If there is no child within FORK_LIMIT_MS, or this has ended. */
  async fork(): Promise<WarmChild> {
    const name = crypto.randomUUID(); // no plugin can guess it and speak in this child's place
    const cwd = `${this.place.scratchDir}/${name}`;
    const exited = Promise.withResolvers<ChildExit | undefined>();
    const limit = setTimeout(() => this.#giveUp(name), FORK_LIMIT_MS);
    try {
      await this.#onScratch(Deno.mkdir(cwd, { mode: 0o700 }));
      if (this.isGone) throw new Error("its template has ended");
      this.#exits.set(name, exited);
      const connected = this.server.expect(name);
      this.#tell({ op: "fork", child: name, socket: this.server.path, cwd, nested_pid: true });
      this.#ping(FORK_LIMIT_MS);
      return new WarmChild(name, await connected, exited.promise, this);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new TemplateError(`Cannot fork a Python process: ${reason}`, { cause });
    } finally {
      clearTimeout(limit);
    }
  }

  /** It is there, perhaps, but does not connect. */
  #giveUp(child: string): void {
    this.kill(child);
    this.server.forget(child, new Error(`it did not connect within ${FORK_LIMIT_MS} ms`));
  }

  /** Ends the child and all that it started; if the template does not react, all its children. */
  kill(child: string): void {
    if (!this.#exits.has(child)) return;
    this.#tell({ op: "kill", child });
    this.#ping(this.options.silentMs);
  }

  /** From now on the child is killed when it holds more, with all that it started. */
  limit(child: string, memoryBytes: number): void {
    this.#tell({ op: "limit", child, memory_kib: Math.max(1, Math.floor(memoryBytes / 1024)) });
  }

  /** Asks the child's job to end by itself. */
  cancel(child: string): void {
    this.#tell({ op: "cancel", child });
  }

  /** Ends it with all its children; resolves when nothing of it is left. May be called twice. */
  async stop(): Promise<void> {
    this.#reason ??= "it was stopped";
    this.#commands.close().catch(() => {}); // the end of its input: it kills its children and exits
    const limit = setTimeout(() => this.#end("it did not stop"), STOP_LIMIT_MS);
    await this.gone;
    clearTimeout(limit);
  }

  async #live(): Promise<string> {
    const [status] = await Promise.all([
      this.process.status,
      this.#readAnswers().catch((error) => this.#end(`its answers cannot be read: ${error}`)),
      this.#readStderr().catch(() => {}),
    ]);
    const reason = this.#reason ?? `it ended with ${status.signal ?? `exit code ${status.code}`}`;
    this.isGone = true;
    this.#ready.reject(new TemplateError(this.#failure(reason)));
    for (const child of [...this.#exits.keys()]) this.#release(child, undefined);
    for (const timer of this.#pings.values()) clearTimeout(timer);
    this.server.close();
    await Promise.allSettled(this.#scratchWork);
    await removeFolder(this.options.folder);
    return reason;
  }

  async #becomesReady(signal: AbortSignal): Promise<void> {
    const late = () => this.#end(`it was not ready after ${START_LIMIT_MS} ms`);
    const limit = setTimeout(late, START_LIMIT_MS);
    const onAbort = () => this.#end("it was stopped");
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    try {
      await this.#ready.promise;
    } catch (error) {
      await this.gone;
      throw error;
    } finally {
      clearTimeout(limit);
      signal.removeEventListener("abort", onAbort);
    }
  }

  #failure(reason: string): string {
    const said = this.#stderr.trim();
    return `Cannot start Python at ${this.options.interpreterPath}: ${reason}` +
      (said === "" ? "" : `\n${said}`);
  }

  async #readAnswers(): Promise<void> {
    let rest = "";
    for await (const chunk of this.process.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(JSON.parse(line));
    }
  }

  async #readStderr(): Promise<void> {
    for await (const chunk of this.process.stderr.pipeThrough(new TextDecoderStream())) {
      this.#stderr = (this.#stderr + chunk).slice(-STDERR_CHARS_MAX);
    }
  }

  #take(answer: Answer): void {
    const child = answer.child ?? "";
    switch (answer.event) {
      case "ready":
        return this.#ready.resolve();
      case "pong":
        return this.#pong(answer.n ?? 0);
      case "exited":
        return this.#release(child, exitOf(answer));
      case "fork_failed":
        this.server.forget(child, new Error(answer.message));
        return this.#release(child, undefined);
    }
  }

  #release(child: string, exit: ChildExit | undefined): void {
    this.#exits.get(child)?.resolve(exit);
    this.#exits.delete(child);
    this.server.forget(child, new Error("it ended before it connected\n" + (exit?.output ?? "")));
    this.#onScratch(removeFolder(`${this.place.scratchDir}/${child}`));
  }

  #onScratch(work: Promise<void>): Promise<void> {
    this.#scratchWork.add(work);
    work.catch(() => {}).then(() => this.#scratchWork.delete(work));
    return work;
  }

  #tell(command: Record<string, unknown>): void {
    const line = new TextEncoder().encode(JSON.stringify(command) + "\n");
    this.#commands.write(line).catch(() => {}); // its end is told by `gone`
  }

  #ping(limitMs: number): void {
    if (this.isGone) return;
    const n = ++this.#pingCount;
    const late = () => this.#end(`it did not answer within ${limitMs} ms`);
    this.#pings.set(n, setTimeout(late, limitMs));
    this.#tell({ op: "ping", n });
  }

  #pong(n: number): void {
    clearTimeout(this.#pings.get(n));
    this.#pings.delete(n);
  }

  #end(reason: string): void {
    if (this.isGone) return;
    this.#reason ??= reason;
    try {
      this.process.kill("SIGKILL");
    } catch {
      // ended by itself a moment ago
    }
  }
}

async function removeFolder(folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch(() => {});
}

function exitOf(answer: object): ChildExit {
  const { code, signal, rss_peak_kib, output, rows, batches, over_memory_kib } = answer as {
    code: number | null;
    signal: number | null;
    rss_peak_kib: number;
    output: string;
    rows: number;
    batches: number;
    over_memory_kib?: number;
  };
  const excess = over_memory_kib === undefined ? {} : { overMemoryBytes: over_memory_kib * 1024 };
  return { code, signal, rssPeakKib: rss_peak_kib, output, rows, results: batches, ...excess };
}
