/** Lets the loop sleep until something happens or a time comes, without polling. */
export class Wakeup {
  #signalled = false;
  #wake: () => void = () => {};

  /** Ends the current wait, or the next one at once. */
  signal(): void {
    this.#signalled = true;
    this.#wake();
  }

  /** Resolves after `ms`, on {@link signal}, or when `other` does; consumes the signal. */
  async wait(ms: number, other: Promise<void>): Promise<void> {
    if (!this.#signalled && ms > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(resolve, ms);
      await Promise.race([promise, other]);
      clearTimeout(timer);
    }
    this.#signalled = false;
  }
}
