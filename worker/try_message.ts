/** The sentinel's TRY: one plugin, one file, nothing landed; the first rows travel back. */
import type { MessageBody } from "../protocol/messages.ts";
import { bounded } from "./conclusions.ts";
import { checkDispatch } from "./dispatch_check.ts";
import { asJobFailure } from "./failures.ts";
import type { JobParts } from "./job_runner.ts";
import { pluginJobOf } from "./plugin_job.ts";
import { Preview, type TopicPreview } from "./preview.ts";
import { tryPlugin } from "./trial.ts";

const ROWS_MAX = 1000;
/** Of all rows as JSON: with schemas and an error they still fit one payload. */
const ROWS_CHARS_MAX = 256 * 1024;
/** What TRIED does not carry: a trial's output is watched nowhere. */
const NO_LOG = { add() {} };

/** Never rejects: what goes wrong is the answer's `error`. */
export async function answerTry(
  body: MessageBody<"try">,
  parts: JobParts,
): Promise<MessageBody<"tried">> {
  const topics = body.sinks.map((sink) => sink.topic);
  const preview = new Preview(
    topics[0] ?? body.plugin_name,
    topics.length > 0 ? topics : undefined,
    Math.min(body.rows_max, ROWS_MAX),
  );
  const startedMs = parts.clock.nowMs();
  try {
    checkDispatch(body);
    const job = await pluginJobOf({ id: 0, attempt: 0, body }, parts);
    const { plugins } = parts;
    const timeoutMs = body.timeout_ms;
    const { counts, failure } = await tryPlugin({ plugins, job, preview, log: NO_LOG, timeoutMs });
    const metrics = {
      batches: counts.batches,
      arrow_bytes: counts.bytes,
      rss_kib: counts.rssKib,
      run_ms: parts.clock.nowMs() - startedMs,
    };
    return { id: body.id, topics: sized([...preview.topics.values()]), metrics, ...told(failure) };
  } catch (error) {
    return { id: body.id, topics: [], metrics: {}, ...told(asJobFailure(error)) };
  }
}

function told(failure: Error | undefined): { error?: string } {
  return failure ? { error: bounded(failure.message) } : {};
}

/** Leaves out rows, from the end, until the answer fits. */
function sized(topics: TopicPreview[]): TopicPreview[] {
  const charsMax = ROWS_CHARS_MAX / Math.max(1, topics.length);
  return topics.map((topic) => {
    let chars = 0;
    const rows = topic.rows.filter((row) => (chars += JSON.stringify(row).length) <= charsMax);
    return { ...topic, rows };
  });
}
