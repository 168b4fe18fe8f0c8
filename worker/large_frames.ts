/**
 * One job at a time may send large frames. The shim cuts what a plugin yields into frames of 16 MiB at
 * most, but it can't cut a single row: that may have up to 256 MiB, of which the worker and its encoder
 * hold ten times as much while it is written. Several of them at once could take all of a host's memory.
 */
export class LargeFrames {
  #last: Promise<void> = Promise.resolve();

  /** For one job; it takes its turn when it first needs it, and has it until it is over. */
  turn(): LargeFramesTurn {
    return new LargeFramesTurn((turn) => {
      const before = this.#last;
      this.#last = before.then(() => turn);
      return before;
    });
  }
}

export class LargeFramesTurn {
  readonly #over = Promise.withResolvers<void>();
  #taken: Promise<void> | undefined;

  /** @param queue Resolves when all turns asked for before are over. */
  constructor(private readonly queue: (over: Promise<void>) => Promise<void>) {}

  /** Resolves when no other job has large frames, or this one is over. May be called many times. */
  take(): Promise<void> {
    const over = this.#over.promise;
    return this.#taken ??= Promise.race([this.queue(over), over]);
  }

  /** To be called in any case, as soon as no large frame of the job is wanted any more. */
  end(): void {
    this.#over.resolve();
  }
}
