/** The pool of encoder threads: started on demand, ended when idle, as each holds 60 MB and more. */
import { EncoderThread } from "./encoder_thread.ts";

export class EncoderThreads {
  readonly #threads = new Set<EncoderThread>();
  readonly #idleTimers = new Map<EncoderThread, ReturnType<typeof setTimeout>>();
  #module: Promise<WebAssembly.Module> | undefined;

  constructor(readonly threadsMax: number, readonly idleMs: number) {}

  get size(): number {
    return this.#threads.size;
  }

  /**
   * @returns The thread with the fewest outputs; release it when the output is done.
   * @throws {SinkError} If the encoder can't be loaded.
   */
  async acquire(): Promise<EncoderThread> {
    const module = await (this.#module ??= compileEncoder());
    const thread = this.#leastBusy() ?? this.#start(module);
    clearTimeout(this.#idleTimers.get(thread));
    thread.outputs++;
    try {
      await thread.loaded;
      return thread;
    } catch (error) {
      this.release(thread);
      throw error;
    }
  }

  release(thread: EncoderThread): void {
    thread.outputs--;
    if (thread.ended) this.#threads.delete(thread);
    else if (thread.outputs === 0 && thread.outgrown) this.#end(thread, "its memory has grown");
    else if (thread.outputs === 0) this.#endWhenIdle(thread);
  }

  close(): void {
    for (const thread of this.#threads) this.#end(thread, "the sink was closed");
  }

  /** Undefined if there is none, or all have work and one more is allowed. */
  #leastBusy(): EncoderThread | undefined {
    for (const thread of this.#threads) if (thread.ended) this.#threads.delete(thread);
    const load = ({ outgrown, outputs }: EncoderThread) => outgrown ? Infinity : outputs;
    const [best] = [...this.#threads].sort((one, other) => load(one) - load(other));
    const mayStart = this.#threads.size < this.threadsMax;
    return best !== undefined && (load(best) === 0 || !mayStart) ? best : undefined;
  }

  #start(module: WebAssembly.Module): EncoderThread {
    const thread = new EncoderThread(module);
    this.#threads.add(thread);
    return thread;
  }

  #endWhenIdle(thread: EncoderThread): void {
    const timer = setTimeout(() => {
      if (thread.outputs === 0) this.#end(thread, "its thread was idle");
    }, this.idleMs);
    timer.unref(); // it must not keep the program alive
    this.#idleTimers.set(thread, timer);
  }

  #end(thread: EncoderThread, why: string): void {
    clearTimeout(this.#idleTimers.get(thread));
    this.#idleTimers.delete(thread);
    this.#threads.delete(thread);
    thread.terminate(why);
  }
}

async function compileEncoder(): Promise<WebAssembly.Module> {
  const url = new URL(import.meta.resolve("parquet-wasm/esm/parquet_wasm_bg.wasm"));
  return await WebAssembly.compile(await Deno.readFile(url));
}
