/** The sentinel and the worker of one `start`: brought up in order, kept up, and ended in order. */
import { join } from "node:path";
import { readLogLine } from "../../protocol/log_line.ts";
import type { ProgressLine } from "../terminal/progress.ts";
import { printable } from "../terminal/printable.ts";
import type { Connection } from "../wire.ts";
import { LogFile } from "./log_file.ts";
import { linkTo } from "./sentinel_link.ts";
import type { StartPlan } from "./start_plan.ts";
import { Supervised } from "./supervised.ts";

/** A worker drains its jobs for 30 s at most; then it is worth no more waiting. */
const WORKER_STOP_MS = 40_000;
const SENTINEL_STOP_MS = 10_000;

export class Programs {
  readonly #closing = new AbortController();
  readonly #logs: LogFile[] = [];
  #sentinel: Supervised | undefined;
  #worker: Supervised | undefined;
  #connection: Connection | undefined;
  readonly #failed = Promise.withResolvers<never>();
  /** Rejects when a program had to be given up. */
  readonly failed: Promise<never> = this.#failed.promise;

  constructor(
    private readonly plan: StartPlan,
    private readonly cwd: string,
    private readonly progress: ProgressLine,
  ) {
    this.failed.catch(() => {}); // told by whoever races it
  }

  async startSentinel(): Promise<Connection> {
    const first = Promise.withResolvers<Connection>();
    this.#sentinel = this.#supervise("sentinel", {
      args: () => this.plan.sentinelArgs(this.#connection?.info.address),
      hasWorked: () => this.#connection !== undefined,
      started: (child) => {
        if (this.#connection) return; // libzmq finds it again by itself
        linkTo(child, this.plan.state, this.#closing.signal).then(first.resolve, first.reject);
      },
    });
    return this.#connection = await first.promise;
  }

  /** @param hasWorked Whether the worker has ever been heard of. */
  startWorker(address: string, hasWorked: () => boolean): void {
    const args = () => this.plan.workerArgs(address);
    this.#worker = this.#supervise("worker", { args, hasWorked, started: () => {} });
  }

  /** The worker first, so that its last receipts still find the sentinel. Safe to call twice. */
  async stop(): Promise<void> {
    this.#closing.abort();
    await this.#worker?.stop(WORKER_STOP_MS);
    await this.#connection?.close();
    await this.#sentinel?.stop(SENTINEL_STOP_MS);
    for (const log of this.#logs.splice(0)) log.close();
  }

  kill(): void {
    this.#worker?.kill();
    this.#sentinel?.kill();
  }

  #supervise(
    name: "sentinel" | "worker",
    { args, hasWorked, started }: {
      args: () => string[];
      hasWorked: () => boolean;
      started: ConstructorParameters<typeof Supervised>[3]["started"];
    },
  ): Supervised {
    const log = new LogFile(join(this.plan.state, "logs"), name);
    this.#logs.push(log);
    const died = (reason: string) => this.#tell(name, `died and is started again: ${reason}`);
    const line = (text: string) => {
      log.write(text);
      const { level, text: said } = readLogLine(text);
      if (level === "warning" || level === "error") this.#tell(name, `${level}: ${said}`);
    };
    const supervised = new Supervised(name, args, this.cwd, { line, started, died }, hasWorked);
    supervised.run().catch(this.#failed.reject);
    return supervised;
  }

  #tell(name: string, text: string): void {
    this.progress.above([printable(`${name}: ${text}`)]);
  }
}
