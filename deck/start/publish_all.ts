import type { ControlClient } from "../../protocol/control.ts";
import { CliError } from "../../protocol/exit_codes.ts";
import { publishPlugin } from "../publishing/publish.ts";
import { printable } from "../terminal/printable.ts";
import type { ProgressLine } from "../terminal/progress.ts";

/**
 * Publishes plugins side by side, as locking one's dependencies need not wait for another's. One that
 * is refused does not keep the others from their files.
 * @returns How many were refused; each has been told by then.
 * @throws {CliError} If all were refused.
 */
export async function publishAll(
  client: ControlClient,
  files: readonly string[],
  progress: ProgressLine,
): Promise<number> {
  const onProgress = (text: string) => progress.show(text);
  const outcomes = await Promise.allSettled(
    files.map((file) => publishPlugin(client, file, { wait: true, onProgress })),
  );
  const reasons = outcomes.flatMap((outcome) =>
    outcome.status === "rejected" ? [(outcome.reason as Error).message] : []
  );
  progress.above(reasons.map((reason) => `error: ${reason.split("\n").map(printable).join("\n")}`));
  if (files.length > 0 && reasons.length === files.length) {
    throw new CliError("Cannot go on as no plugin could be published: see above");
  }
  return reasons.length;
}
