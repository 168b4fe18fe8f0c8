/** What goes between the sink and its encoder threads. */
import type { Lineage } from "./lineage_columns.ts";

export type EncoderTask =
  | { op: "load"; module: WebAssembly.Module }
  /** A small output, in one go. */
  | { op: "whole"; path: string; lineage: Lineage; frames: Uint8Array<ArrayBuffer>[] }
  | { op: "open"; path: string; lineage: Lineage }
  | { op: "write"; frame: Uint8Array<ArrayBuffer> }
  | { op: "finish" }
  | { op: "abort" };

/** `output` names the writer: its tasks are done one after the other, those of others between them. */
export type EncoderRequest = EncoderTask & { id: number; output: number };

export interface Written {
  rows: number;
  bytes: number;
}

export interface EncoderFailure {
  message: string;
  retryable: boolean;
  /** The encoder panicked: its memory is no longer to be trusted, so the thread must go. */
  panicked: boolean;
}

export type EncoderReply = { id: number; written: Written } | {
  id: number;
  failure: EncoderFailure;
};
