/** What the scanner's two threads say to each other. Plain data: both ends are this very program. */
import type { Observations, ScanProgress, ScanSummary } from "./observations.ts";
import type { RootSettings } from "./root_scan.ts";

export type ToThread =
  /** The first message; nothing is read before it. */
  | { type: "open"; databasePath: string }
  | { type: "roots"; roots: RootSettings[] }
  | { type: "scan"; rootId: number; requestId: number }
  | { type: "answer"; batchId: number; stored: boolean }
  | { type: "forget" }
  | { type: "stop" };

export type FromThread =
  | { type: "observations"; batchId: number; observations: Observations }
  | { type: "scanned"; summary: ScanSummary; requestIds: number[] }
  | { type: "progress"; progress: ScanProgress }
  /** Changes are noticed by the next pass only. */
  | { type: "unwatched"; rootId: number; message: string }
  /** A defect; nothing follows. */
  | { type: "failed"; message: string }
  | { type: "stopped" };
