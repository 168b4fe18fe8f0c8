/**
 * Makes staged outputs visible, or makes them go away, once the sentinel has spoken. What the disk
 * refuses stays staged and unreported, so the next start of a worker here finds it pending.
 */
import type { Logger } from "../protocol/ports.ts";
import type { Landed, Pending } from "./catalog_calls.ts";
import type { Receipt } from "./receipts.ts";
import { outputAddress, outputPath, type SinkFolders } from "./sink_folders.ts";
import type { SinkSet } from "./sink_set.ts";
import type { StagedOutput } from "./sinks/sink.ts";

export class Landing {
  constructor(
    private readonly sinks: Pick<SinkSet, "promote" | "retire" | "discard" | "sweep">,
    private readonly folders: SinkFolders,
    private readonly logger: Logger,
  ) {}

  /** Renames a job's outputs, then removes those they replace. @returns What is visible now. */
  async promote(receipt: Receipt, retired: readonly string[]): Promise<Landed[]> {
    const { staged, jobId } = receipt;
    const landed = await Promise.all(staged.map((output) => this.#promote(jobId, output)));
    // What is replaced stays if its replacement could not be shown: old rows are better than none.
    if (landed.flat().length === staged.length) await this.retire(retired);
    return landed.flat();
  }

  /** Removes outputs that others have replaced, those that are here. */
  async retire(addresses: readonly string[]): Promise<void> {
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
  async recover(pending: readonly Pending[], isAll: boolean): Promise<Landed[]> {
    const here = pending.flatMap(({ job_id, topic, ...output }) => {
      const [uri, staged] = [this.#pathOf(output.uri), this.#pathOf(output.staged)];
      return uri && staged ? [{ job_id, topic, uri, staged }] : [];
    });
    const landed = await Promise.all(here.map((output) => this.#recover(output)));
    const keeps = here.map(({ staged }) => staged);
    if (!isAll) return landed.flat();
    await this.#safely("sweep what dead workers left", () => this.sinks.sweep(keeps));
    return landed.flat();
  }

  async discard(staged: readonly StagedOutput[]): Promise<void> {
    await this.#safely("discard a late output", () => this.sinks.discard(staged));
  }

  async #promote(jobId: number, output: StagedOutput): Promise<Landed[]> {
    const done = await this.#safely(`promote ${output.uri}`, () => this.sinks.promote(output));
    return done ? [{ job_id: jobId, uri: outputAddress(output.uri, this.folders) }] : [];
  }

  #pathOf(address: string): string | null {
    return outputPath(address, this.folders);
  }

  async #recover({ job_id, topic, uri, staged }: Pending): Promise<Landed[]> {
    if (!await exists(staged) && !await exists(uri)) return []; // another host's
    return await this.#promote(job_id, { topic, uri, staged, rows: 0, bytes: 0, generation: 0 });
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

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
