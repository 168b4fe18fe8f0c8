/**
 * How a job that was ended before its plugin was done says why, and how far it had come [pure]:
 *
 *     cancelled by the sentinel (in batch 3, 12,400 rows so far)
 *     killed: ran longer than 30 s (in batch 3, 12,400 rows so far): raise timeout_s …
 *     killed: 2.1 GiB over the 2 GiB limit in batch 17: raise memory_mb …
 *
 * Batches and rows are those that the plugin has yielded; the one it was at counts as well.
 */
import type { ErrorKind } from "../protocol/messages.ts";
import { JobFailure } from "./conclusions.ts";
import type { RunCounts } from "./plugin_stream.ts";
import { bytesText, countText, differingBytes, limitText, numberText } from "./quantities.ts";

type Reached = Pick<RunCounts, "rows" | "yielded">;

/** A decision to end a job: what is said of it hangs on how far it has come when it is over. */
export class EarlyEnd extends Error {
  override name = "EarlyEnd";
  constructor(
    readonly kind: ErrorKind,
    why: string,
    private readonly advice = "",
    private readonly retryable = true,
  ) {
    super(why);
  }

  /** @param reached Nothing, if the plugin was never started. */
  failure(reached: Reached | undefined): JobFailure {
    const where = reached === undefined ? "before it began" : `in ${placeText(reached)}`;
    return new JobFailure(this.kind, `${this.message} (${where})${this.advice}`, this.retryable);
  }
}

export type CancelCause = "aborted" | "superseded" | "drained";

const CANCELLERS: Readonly<Record<CancelCause, string>> = {
  aborted: "the sentinel",
  superseded: "a newer attempt of the job",
  drained: "the stop of its worker",
};

export function cancelled(cause: CancelCause): EarlyEnd {
  return new EarlyEnd("aborted", `cancelled by ${CANCELLERS[cause]}`, "", cause === "drained");
}

export function timedOut(limitMs: number): EarlyEnd {
  return new EarlyEnd(
    "timeout",
    `killed: ran longer than ${limitText(limitMs)}`,
    ": raise timeout_s in its MANIFEST if the file is worth it",
  );
}

export function overMemory(heldBytes: number, limitBytes: number, reached: Reached): JobFailure {
  const [held, limit] = differingBytes(heldBytes, limitBytes);
  // A control group holds no more than its limit: it is killed for wanting more.
  const what = heldBytes > limitBytes
    ? `${held} over the ${limit} limit`
    : `it wanted more than its limit of ${bytesText(limitBytes)}`;
  return new JobFailure(
    "memory",
    `killed: ${what} in batch ${numberText(reached.yielded + 1)}: ` +
      `raise memory_mb in its MANIFEST, or yield smaller tables`,
    true,
  );
}

export function overLogs(sentBytes: number, limitBytes: number, reached: Reached): JobFailure {
  return new JobFailure(
    "plugin",
    `killed: ${bytesText(sentBytes)} of logs over the ${
      bytesText(limitBytes)
    } limit, sent around ` +
      `the code that cuts them off (in ${placeText(reached)})`,
    true,
  );
}

function placeText({ yielded, rows }: Reached): string {
  return `batch ${numberText(yielded + 1)}, ${countText(rows, "row")} so far`;
}
