/** What a worker's HEARTBEAT says [pure]: which jobs it holds, and to our sentinel a little more. */
import type { MessageBody } from "../protocol/messages.ts";
import type { Progress } from "./session_events.ts";

/** What only our sentinel understands. */
export interface HeartbeatExtras {
  progress: Progress;
  /** Environments whose Python is started. */
  warm: readonly string[];
  draining: boolean;
}

/** @param jobIds All that it holds, receipts without an answer included: their leases are renewed. */
export function heartbeat(
  jobIds: number[],
  extras: HeartbeatExtras | undefined,
): MessageBody<"heartbeat"> {
  return {
    status: jobIds.length > 0 ? "BUSY" : "IDLE",
    ...(jobIds[0] === undefined ? {} : { current_job_id: jobIds[0] }),
    active_job_count: jobIds.length,
    active_job_ids: jobIds,
    ...(extras && extras.progress.length > 0 ? { progress: extras.progress } : {}),
    ...(extras ? { warm_envs: [...extras.warm] } : {}),
    ...(extras?.draining ? { draining: true } : {}),
  };
}
