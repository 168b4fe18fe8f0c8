/**
 * Tells the sentinel's catalog which outputs have become visible [pure]. One CALL at a time is under
 * way, and all that lands meanwhile goes with the next: under load a CALL reports hundreds.
 * Saying it twice changes nothing, so a lost answer only means saying it again.
 */

/** As the sentinel knows it: job and final address. */
export interface Landed {
  readonly job_id: number;
  readonly uri: string;
}

const LANDED_PER_CALL_MAX = 5000;

export class Promotions {
  #waiting: Landed[] = [];
  #underWay: Landed[] = [];

  get size(): number {
    return this.#waiting.length + this.#underWay.length;
  }

  add(landed: readonly Landed[]): void {
    this.#waiting.push(...landed);
  }

  /** What the next CALL reports; nothing while one is under way. */
  next(): { outputs: Landed[] } | undefined {
    if (this.#underWay.length > 0 || this.#waiting.length === 0) return undefined;
    this.#underWay = this.#waiting.splice(0, LANDED_PER_CALL_MAX);
    return { outputs: this.#underWay };
  }

  reported(): void {
    this.#underWay = [];
  }

  /** The CALL was refused, or lost with the connection: it goes again. */
  failed(): void {
    this.#waiting.unshift(...this.#underWay);
    this.#underWay = [];
  }
}
