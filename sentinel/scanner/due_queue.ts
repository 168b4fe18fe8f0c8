/**
 * What is due when, the next first: a binary heap. What is removed before its time only leaves its place
 * when that comes up, or when half of all places are such, so that removing costs nothing.
 */
export class DueQueue<Item extends { dueMs: number }> {
  #heap: Item[] = [];
  readonly #removed = new Set<Item>();

  /** Never later than the first is due; `Infinity` if nothing ever is. */
  get nextDueMs(): number {
    return this.#heap[0]?.dueMs ?? Infinity;
  }

  /** @param item Its `dueMs` must not change from now on. */
  add(item: Item): void {
    if (item.dueMs === Infinity) return;
    this.#heap.push(item);
    this.#rise(this.#heap.length - 1);
  }

  remove(item: Item): void {
    if (item.dueMs === Infinity) return;
    this.#removed.add(item);
    if (this.#removed.size > this.#heap.length / 2) this.#rebuild();
  }

  /** Takes out all that are due, the earliest first. */
  takeDue(nowMs: number): Item[] {
    const due: Item[] = [];
    while (this.nextDueMs <= nowMs) {
      const item = this.#takeFirst();
      if (!this.#removed.delete(item)) due.push(item);
    }
    return due;
  }

  #takeFirst(): Item {
    const first = this.#heap[0]!;
    const last = this.#heap.pop()!;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#sink(0);
    }
    return first;
  }

  #rebuild(): void {
    const kept = this.#heap.filter((item) => !this.#removed.has(item));
    this.#removed.clear();
    this.#heap = kept.sort((a, b) => a.dueMs - b.dueMs); // sorted is a heap
  }

  #rise(at: number): void {
    for (let above; at > 0 && this.#isBefore(at, above = (at - 1) >> 1); at = above) {
      this.#swap(at, above);
    }
  }

  #sink(at: number): void {
    for (;;) {
      let least = at;
      for (const below of [2 * at + 1, 2 * at + 2]) {
        if (below < this.#heap.length && this.#isBefore(below, least)) least = below;
      }
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #isBefore(a: number, b: number): boolean {
    return this.#heap[a]!.dueMs < this.#heap[b]!.dueMs;
  }

  #swap(a: number, b: number): void {
    [this.#heap[a], this.#heap[b]] = [this.#heap[b]!, this.#heap[a]!];
  }
}
