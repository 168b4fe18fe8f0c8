/**
 * Arrow IPC frames → Parquet bytes, inside of an encoder thread. parquet-wasm encodes the plugin's
 * columns; the lineage columns are added to the finished file, see `lineage_columns.ts`.
 */
import initWasm, {
  Compression,
  EnabledStatistics,
  Table,
  writeParquet,
  type WriterProperties,
  WriterPropertiesBuilder,
} from "parquet-wasm/esm";
import { FrameCheck } from "./frame_check.ts";
import { type Lineage, lineageColumns } from "./lineage_columns.ts";
import { footerBytes, TRAILER_BYTES, withLineage } from "./parquet_footer.ts";
import { SinkError } from "./sink.ts";

/** A row group is all that the encoder holds; at 1,048,576 rows a large output took 35 MB more. */
const ROW_GROUP_ROWS_MAX = 512 * 1024;
/** Of encoded data, which is copied twice on its way to the file. */
const ROW_GROUP_BYTES_MAX = 32 * 1024 * 1024;
/**
 * A column with more distinct values than this holds gives up its dictionary. An eighth of the default,
 * which costs nothing in size and spares 15 % of the time: numbers seldom repeat, and words often do.
 */
const DICTIONARY_BYTES_MAX = 128 * 1024;
/** Below this, looking for repeated values costs more than all they would save. */
const DICTIONARY_INPUT_BYTES_MIN = 64 * 1024;

export async function loadEncoder(module: WebAssembly.Module): Promise<void> {
  await initWasm({ module_or_path: module });
}

/**
 * Encodes an output of one small frame at once, which is faster than a stream.
 * @returns The file, in parts to be written one behind the other.
 * @throws {SinkError} If the frame can't be written.
 */
export function encodeWhole(
  frame: Uint8Array,
  lineage: Lineage,
): { parts: Uint8Array[]; rows: number } {
  new FrameCheck().accept(frame);
  const small = frame.length < DICTIONARY_INPUT_BYTES_MIN;
  const file = encoding(() => writeParquet(tableOf(frame), writerProperties(!small)));
  const at = file.length - TRAILER_BYTES - footerBytes(file.subarray(-TRAILER_BYTES));
  const { tail, rows } = withLineage(file.subarray(at), at, lineageColumns(lineage));
  return { parts: [file.subarray(0, at), tail], rows };
}

/** @throws {SinkError} If arrow refuses the frame's content. */
export function tableOf(frame: Uint8Array): Table {
  return encoding(() => Table.fromIPCStream(frame));
}

/**
 * zstd is at its level 1: parquet-wasm offers no other. Higher levels cost more than the disk saves.
 * At most one entry of key-value metadata (Arrow's schema) may be written, for several come in
 * random order, and the same input must give the same bytes.
 */
export function writerProperties(dictionary = true): WriterProperties {
  return new WriterPropertiesBuilder()
    .setCompression(Compression.ZSTD)
    .setStatisticsEnabled(EnabledStatistics.Chunk)
    .setDictionaryEnabled(dictionary)
    .setDictionaryPageSizeLimit(DICTIONARY_BYTES_MAX)
    .setMaxRowGroupSize(ROW_GROUP_ROWS_MAX)
    .setMaxRowGroupBytes(ROW_GROUP_BYTES_MAX)
    .build();
}

/** Runs the encoder; a panic (`RuntimeError`) passes as it is, since the thread can't go on then. */
export function encoding<T>(run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw encodingError(cause);
  }
}

export function encodingError(cause: unknown): unknown {
  if (cause instanceof SinkError || cause instanceof WebAssembly.RuntimeError) return cause;
  return new SinkError(`Cannot encode a batch as Parquet: ${(cause as Error).message}`, { cause });
}
