/// <reference lib="deno.worker" />
/** Encoder thread: a Web Worker that writes several outputs at once. */
import type { EncoderFailure, EncoderReply, EncoderRequest, Written } from "./encoder_messages.ts";
import type { Lineage } from "./lineage_columns.ts";
import { encodeWhole, loadEncoder } from "./parquet_encoder.ts";
import { ParquetStream } from "./parquet_stream.ts";
import { SinkError } from "./sink.ts";
import { StagedFile } from "./staged_file.ts";

const NOTHING: Written = { rows: 0, bytes: 0 };
const streams = new Map<number, ParquetStream>();
/** The last task of each output that has one. */
const tasks = new Map<number, Promise<void>>();

self.onmessage = ({ data: request }: MessageEvent<EncoderRequest>) => {
  const before = tasks.get(request.output);
  const task = before ? before.then(() => answer(request)) : answer(request);
  tasks.set(request.output, task);
  task.finally(() => {
    if (tasks.get(request.output) === task) tasks.delete(request.output);
  });
};

async function answer(request: EncoderRequest): Promise<void> {
  const { id } = request;
  try {
    reply({ id, written: await perform(request) });
  } catch (error) {
    reply({ id, failure: describe(error) });
  }
}

async function perform(request: EncoderRequest): Promise<Written> {
  switch (request.op) {
    case "load":
      await loadEncoder(request.module);
      return NOTHING;
    case "whole":
      return await writeWhole(request);
    case "open":
      streams.set(request.output, new ParquetStream(request.path, request.lineage));
      return NOTHING;
    case "write":
      await streams.get(request.output)?.write(request.frame);
      return NOTHING;
    case "finish":
      return await finish(request.output);
    case "abort":
      await abort(request.output);
      return NOTHING;
  }
}

async function writeWhole(request: EncoderRequest & { op: "whole" }): Promise<Written> {
  const { path, lineage, frames } = request;
  const [only] = frames;
  if (only !== undefined && frames.length === 1) return await writeFrame(path, lineage, only);
  const stream = new ParquetStream(path, lineage);
  streams.set(request.output, stream);
  for (const frame of frames) await stream.write(frame);
  return await finish(request.output);
}

async function writeFrame(path: string, lineage: Lineage, frame: Uint8Array): Promise<Written> {
  const { parts, rows } = encodeWhole(frame, lineage);
  const file = new StagedFile(path);
  try {
    for (const part of parts) file.write(part);
    await file.commit();
  } catch (error) {
    await file.discard();
    throw error;
  }
  return { rows, bytes: file.bytes };
}

async function finish(output: number): Promise<Written> {
  const written = await streams.get(output)?.finish();
  streams.delete(output);
  return written ?? NOTHING;
}

async function abort(output: number): Promise<void> {
  const stream = streams.get(output);
  streams.delete(output);
  await stream?.abort();
}

function describe(error: unknown): EncoderFailure {
  const { message } = error as Error;
  if (error instanceof SinkError) return { message, retryable: error.retryable, panicked: false };
  const panicked = error instanceof WebAssembly.RuntimeError;
  return { message: `Cannot encode as Parquet: ${message}`, retryable: false, panicked };
}

function reply(message: EncoderReply): void {
  self.postMessage(message);
}
