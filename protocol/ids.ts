/** Names, ids and every limit of the wire, in one place. */
import * as z from "zod";

const MIB = 1024 * 1024;

/** Payload bounds in bytes: DISPATCH, TRY and DEPLOY carry source code, all others are small. */
export const BODY_BYTES_MAX = 1 * MIB;
export const SOURCE_BODY_BYTES_MAX = 64 * MIB;
/** ZMQ_MAXMSGSIZE: what libzmq itself may allocate for one frame. */
export const FRAME_BYTES_MAX = SOURCE_BODY_BYTES_MAX + 1024;

/** One Arrow IPC frame: what the shim sends at most, and what a worker still accepts. */
export const SHIM_BATCH_BYTES_MAX = 16 * MIB;
export const BRIDGE_FRAME_BYTES_MAX = 256 * MIB;
/** Captured output: one message, and all of one job. */
export const LOG_MESSAGE_BYTES_MAX = 64 * 1024;
export const LOG_JOB_BYTES_MAX = 10 * MIB;
/** What a message counts beside its text, so that empty lines are bounded as well. */
export const LOG_MESSAGE_COST_BYTES = 32;
/** Lines that fit one LOG message with room to spare under BODY_BYTES_MAX. */
export const LOG_LINES_MAX = 1000;

/** Ids are numbers that JSON and JavaScript keep exactly; 0 means "no job". */
export const ID_MAX = Number.MAX_SAFE_INTEGER;
export const JobId = z.number().int().min(0).max(ID_MAX);
export const RowId = z.number().int().min(1).max(ID_MAX);
export const Count = z.number().int().min(0).max(ID_MAX);
export const TimeMs = z.number().int().min(0).max(ID_MAX);

/** Lower-case SHA-256, 64 hex digits. */
export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** A topic becomes a folder or a table name, so it can hold no separator and never starts with a dot. */
export const TOPIC_PATTERN = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
export const TopicName = z.string().regex(TOPIC_PATTERN, "letters, digits, '_', '.' and '-' only");

/** `env_hash` of a plain v4 sentinel that wants the worker's own Python. */
export const SYSTEM_ENVIRONMENT = "system";
