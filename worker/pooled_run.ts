/** One run of a plugin in a child that a pool lends: how it begins, is ended early, and gives back. */
import type { BridgeFrame } from "../protocol/bridge.ts";
import { PluginDied, type PluginJob, type PluginRun } from "./plugin_run.ts";
import type { WarmChild } from "./warm_child.ts";

export interface Lease {
  readonly child: WarmChild;
  /** Called once, whatever came of the job; the pool looks whether the child is of further use. */
  giveBack(): void;
}

export class PooledRun implements PluginRun {
  readonly frames: AsyncIterable<BridgeFrame>;
  readonly #killed = Promise.withResolvers<never>();
  readonly #started = Promise.withResolvers<void>();
  #cause: string | undefined;
  #child: WarmChild | undefined;
  #grace: ReturnType<typeof setTimeout> | undefined;

  /** @param graceMs How long a cancelled plugin may take to end by itself. */
  constructor(
    private readonly job: PluginJob,
    private readonly lend: () => Promise<Lease>,
    private readonly graceMs: number,
  ) {
    this.#killed.promise.catch(() => {}); // told by `frames`
    this.frames = this.#stream();
  }

  get started(): Promise<void> {
    return this.#started.promise;
  }

  kill(cause: string): void {
    this.#cause ??= cause;
    this.#killed.reject(new PluginDied(this.#cause));
    this.#child?.kill();
  }

  cancel(cause: string): void {
    if (this.#child === undefined) return this.kill(cause);
    this.#cause ??= cause;
    this.#child.cancel();
    this.#grace ??= setTimeout(() => this.kill(cause), this.graceMs);
  }

  async *#stream(): AsyncGenerator<BridgeFrame, void> {
    const { child, giveBack } = await this.#borrow();
    this.#child = child;
    this.#started.resolve();
    try {
      yield* child.run(this.job);
    } catch (error) {
      if (this.#cause === undefined) throw error;
      child.kill();
      throw new PluginDied(this.#cause, await child.exited);
    } finally {
      clearTimeout(this.#grace);
      this.#child = undefined;
      if (this.#cause !== undefined) child.kill(); // a signal may be on its way to it
      giveBack();
    }
  }

  async #borrow(): Promise<Lease> {
    if (this.#cause !== undefined) throw new PluginDied(this.#cause);
    const lent = this.lend();
    try {
      return await Promise.race([lent, this.#killed.promise]);
    } catch (error) {
      lent.then((lease) => lease.giveBack(), () => {});
      throw error;
    }
  }
}
