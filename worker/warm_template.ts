/** A template of the pool with its children: those idle, one forked ahead, and a count of those busy. */
import type { PluginJob } from "./plugin_run.ts";
import type { Lease } from "./pooled_run.ts";
import type { TemplateProcess } from "./template_process.ts";
import type { WarmChild } from "./warm_child.ts";

export class WarmTemplate {
  usedMs: number;
  /** The one used last at the end. */
  readonly #idle: WarmChild[] = [];
  /** Where each job wants a fresh process, one is forked ahead of it. */
  #spare: Promise<WarmChild> | undefined;
  #busy = 0;
  #closing = false;
  #template: TemplateProcess | undefined;

  constructor(
    private readonly started: Promise<TemplateProcess>,
    private readonly idleMax: number,
    private readonly nowMs: () => number,
  ) {
    this.usedMs = nowMs();
    started.then((template) => this.#template = template, () => {}); // failure is told by lend()
  }

  /** Whether it was there and has died. */
  get isGone(): boolean {
    return this.#template?.isGone ?? false;
  }

  /** A job that comes now finds Python started. */
  get isWarm(): boolean {
    return this.#template !== undefined && !this.isGone;
  }

  get isBusy(): boolean {
    return this.#busy > 0;
  }

  /** @throws {TemplateError} If there is no process to be had. */
  async lend(job: PluginJob): Promise<Lease> {
    this.#busy++;
    this.usedMs = this.nowMs();
    try {
      const child = this.#takeIdle(job) ?? await this.#fork(job);
      return { child, giveBack: () => this.#giveBack(job, child) };
    } catch (error) {
      this.#busy--;
      throw error;
    }
  }

  /** Ends children that nobody used for so long. */
  endIdle(childIdleMs: number): void {
    const sinceMs = this.nowMs() - childIdleMs;
    while (this.#idle[0] && this.#idle[0].usedMs <= sinceMs) this.#idle.shift()!.kill();
    if (this.usedMs > sinceMs) return;
    this.#spare?.then((child) => child.kill(), () => {});
    this.#spare = undefined;
  }

  /** Resolves when it and all its children are gone. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.started.then((template) => template.stop(), () => {});
  }

  #takeIdle(job: PluginJob): WarmChild | undefined {
    if (job.isolation === "job") return undefined;
    for (;;) {
      // The one used last: its memory is still in the processor's caches.
      const at = this.#idle.findLastIndex((child) => child.isFor(job));
      const child = at < 0 ? undefined : this.#idle.splice(at, 1)[0];
      if (child === undefined || child.reusable) return child; // it may have died meanwhile
    }
  }

  async #fork(job: PluginJob): Promise<WarmChild> {
    const template = await this.started;
    const spare = await this.#takeSpare();
    const child = spare?.reusable ? spare : await template.fork();
    if (job.isolation === "job") this.#spare ??= template.fork();
    this.#spare?.catch(() => {}); // told when it is taken
    return child;
  }

  #takeSpare(): Promise<WarmChild | undefined> {
    const spare = this.#spare?.catch(() => undefined);
    this.#spare = undefined;
    return Promise.resolve(spare);
  }

  #giveBack(job: PluginJob, child: WarmChild): void {
    this.#busy--;
    this.usedMs = child.usedMs = this.nowMs();
    if (job.isolation === "job" || !child.reusable || this.#closing) return child.kill();
    this.#idle.push(child);
    if (this.#idle.length > this.idleMax) this.#idle.shift()!.kill();
  }
}
