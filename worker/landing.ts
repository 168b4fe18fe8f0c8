/**
 * Makes staged outputs visible, or makes them go away, once the sentinel has spoken. What the disk
 * refuses stays staged and unreported, and is tried again later, or by the next start of a worker here.
 */
import type { Logger } from "../protocol/ports.ts";
import type { Landed, Pending } from "./catalog_calls.ts";
import type { Receipt } from "./receipts.ts";
import { outputAddress, outputPath, type SinkFolders } from "./sink_folders.ts";
import type { SinkSet } from "./sink_set.ts";
import type { StagedOutput } from "./sinks/sink.ts";

export interface LandingReport {
  /** What is visible now. */
  readonly landed: Landed[];
  /** The disk refused some: to be tried again later. */
  readonly again: boolean;
}

export class Landing {
  constructor(
    private readonly sinks: Pick<SinkSet, "promote" | "retire" | "discard" | "sweep">,
    private readonly folders: SinkFolders,
    private readonly logger: Logger,
  ) {}

  /** Renames a job's outputs, then removes those they replace. */
  async promote(receipt: Receipt, retired: readonly string[]): Promise<LandingReport> {
    const { staged, jobId } = receipt;
    const done = await Promise.all(staged.map((output) => this.#promote(output)));
    // What is replaced stays if its replacement could not be shown: old rows are better than none.
    if (done.every(Boolean)) await this.retire(retired);
    const landed = staged.filter((_, n) => done[n]).map(({ uri }) => this.#landed(jobId, uri));
    return { landed, again: landed.length < staged.length };
  }

  /** Removes outputs that others have replaced, those that are here. */
  async retire(addresses: readonly string[]): Promise<void> {
    if (addresses.length === 0) return;
    const here = addresses.flatMap((address) => this.#pathOf(address) ?? []);
    for (const address of addresses.filter((address) => this.#pathOf(address) === null)) {
      this.logger.log(
        "warning",
        `Could not remove ${address}, which was replaced, as it is in no folder of this worker: it ` +
          "stays visible. Start every worker with --map NAME=DIR for the folders that they share",
      );
    }
    await this.#safely("remove what was replaced", () => this.sinks.retire(here));
  }

  /**
   * Finishes what an earlier start of a worker here had no time for, then sweeps its leftovers.
   * @param isAll Whether the catalog knows of no more: else nothing is swept, as it may be wanted.
   */
  async recover(pending: readonly Pending[], isAll: boolean): Promise<LandingReport> {
    const ours = pending.flatMap((output) => this.#ours(output));
    const areThere = await Promise.all(ours.map(isThere));
    const here = ours.filter((_, n) => areThere[n]); // those of other hosts are not
    const done = await Promise.all(here.map((output) => this.#recover(output)));
    const keeps = ours.map(({ staged }) => staged);
    if (isAll) await this.#safely("sweep what is left", () => this.sinks.sweep(keeps));
    const landed = here.filter((_, n) => done[n]).map((o) => this.#landed(o.job_id, o.uri));
    return { landed, again: landed.length < here.length };
  }

  async discard(staged: readonly StagedOutput[]): Promise<void> {
    await this.#safely("discard a late output", () => this.sinks.discard(staged));
  }

  async #promote(output: StagedOutput): Promise<boolean> {
    return await this.#safely(`promote ${output.uri}`, () => this.sinks.promote(output));
  }

  async #recover({ topic, uri, staged, retired = [] }: Pending): Promise<boolean> {
    const done = await this.#promote({ topic, uri, staged, rows: 0, bytes: 0, generation: 0 });
    if (done) await this.retire(retired);
    return done;
  }

  /** By its paths here, if it is in this worker's folders. */
  #ours(output: Pending): Pending[] {
    const [uri, staged] = [this.#pathOf(output.uri), this.#pathOf(output.staged)];
    return uri && staged ? [{ ...output, uri, staged }] : [];
  }

  #landed(jobId: number, path: string): Landed {
    return { job_id: jobId, uri: outputAddress(path, this.folders) };
  }

  #pathOf(address: string): string | null {
    return outputPath(address, this.folders);
  }

  async #safely(action: string, act: () => Promise<unknown>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (error) {
      const reason = error instanceof Error ? error.message : `${error}`;
      this.logger.log("error", `Could not ${action}: ${reason}`);
      return false;
    }
  }
}

async function isThere({ staged, uri }: Pending): Promise<boolean> {
  return await exists(staged) || await exists(uri);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
