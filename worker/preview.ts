/** What a plugin yields, looked at and not kept: per topic its schema, its first rows and a count. */
import { TOPIC_PATTERN } from "../protocol/ids.ts";
import { firstRows } from "./arrow_json.ts";
import type { BatchTarget } from "./plugin_stream.ts";
import { KIND } from "./sinks/arrow_ipc.ts";
import { readColumns } from "./sinks/arrow_schema.ts";
import { FrameCheck } from "./sinks/frame_check.ts";

export interface TopicPreview {
  readonly topic: string;
  /** Types as pyarrow spells them. */
  schema: { name: string; type: string; nullable: boolean }[];
  readonly rows: Record<string, unknown>[];
  row_count: number;
}

/** Slot of a RecordBatch's number of rows. */
const BATCH_ROWS = 0;

export class Preview implements BatchTarget {
  readonly topics = new Map<string, TopicPreview>();
  readonly #checks = new Map<string, FrameCheck>();

  /** @param allowed The topics that may be yielded to; any, if the plugin names none. */
  constructor(
    readonly defaultTopic: string,
    readonly allowed: readonly string[] | undefined,
    private readonly rowsMax: number,
  ) {}

  allows(topic: string): boolean {
    return this.allowed?.includes(topic) ?? TOPIC_PATTERN.test(topic);
  }

  /** @throws {SinkError} If a sink would not take it either. */
  async write(topic: string, ipcStream: Uint8Array<ArrayBuffer>): Promise<void> {
    const seen = this.#topic(topic);
    for (const { kind, header } of this.#check(topic).accept(ipcStream)) {
      if (kind === KIND.schema) seen.schema = columnsOf(readColumns(header));
      if (kind === KIND.batch) seen.row_count += header.i64(BATCH_ROWS);
    }
    const missing = this.rowsMax - seen.rows.length;
    if (missing > 0) seen.rows.push(...rowsOrNone(ipcStream, missing));
    await Promise.resolve();
  }

  #check(topic: string): FrameCheck {
    let check = this.#checks.get(topic);
    if (!check) this.#checks.set(topic, check = new FrameCheck());
    return check;
  }

  #topic(topic: string): TopicPreview {
    let seen = this.topics.get(topic);
    if (!seen) this.topics.set(topic, seen = { topic, schema: [], rows: [], row_count: 0 });
    return seen;
  }
}

function columnsOf(columns: TopicPreview["schema"]): TopicPreview["schema"] {
  return columns.map(({ name, type, nullable }) => ({ name, type, nullable }));
}

/** Arrow's JavaScript library lacks some types; a preview without rows still tells schema and count. */
function rowsOrNone(ipcStream: Uint8Array, rowsMax: number): Record<string, unknown>[] {
  try {
    return firstRows(ipcStream, rowsMax);
  } catch {
    return [];
  }
}
