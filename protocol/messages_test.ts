import assert from "node:assert/strict";
import { ErrorKind, FEATURES, type MessageName, MESSAGES } from "./messages.ts";

const NAMES = Object.keys(MESSAGES) as MessageName[];

function parse(name: MessageName, body: unknown): unknown {
  return MESSAGES[name].body.parse(body);
}

Deno.test("every opcode is its own, and the numbers are those of the design", () => {
  const opcodes = Object.fromEntries(NAMES.map((name) => [MESSAGES[name].opcode, name]));
  assert.deepEqual(opcodes, {
    1: "identify",
    2: "dispatch",
    3: "abort",
    4: "heartbeat",
    5: "conclude",
    6: "err",
    7: "reload",
    8: "prepare_env",
    9: "env_ready",
    10: "deploy",
    11: "ack",
    12: "log",
    13: "call",
    14: "reply",
    15: "resolve",
    16: "resolved",
    17: "try",
    18: "tried",
  });
});

Deno.test("only messages that carry source code or an API's page may be large", () => {
  const large = NAMES.filter((name) => MESSAGES[name].bodyBytesMax > 1024 * 1024);
  assert.deepEqual(large.sort(), ["call", "deploy", "dispatch", "reply", "try"]);
});

Deno.test("unknown keys are dropped, on every level", () => {
  const body = {
    capabilities: ["*"],
    worker_id: "w",
    colour: "red",
  };
  assert.deepEqual(parse("identify", body), { capabilities: ["*"], worker_id: "w" });
  const sink = { topic: "t", uri: "u", mode: "replace", partition: "day" };
  const dispatch = {
    plugin_name: "p",
    file_path: "/f",
    sinks: [sink],
    file_version_id: 1,
    env_hash: "system",
    source_code: "",
  };
  const { partition: _, ...known } = sink;
  assert.deepEqual(parse("dispatch", dispatch), { ...dispatch, sinks: [known] });
});

Deno.test("null for an optional field reads as absent, for a mandatory one it is refused", () => {
  const ack = parse("ack", { success: true, message: "m", plugin_id: null, retired: null });
  assert.equal(JSON.stringify(ack), '{"success":true,"message":"m"}');
  assert.throws(() => parse("ack", { success: true, message: null }));
});

Deno.test("an answer without a result, and one whose result is null, are both answers", () => {
  assert.deepEqual(parse("reply", { id: 1 }), { id: 1 });
  assert.deepEqual(parse("reply", { id: 1, result: null }), { id: 1, result: null });
});

Deno.test("lists and texts are taken at their bound and refused beyond it", () => {
  const heartbeat = (ids: number) => ({ status: "BUSY", active_job_ids: Array(ids).fill(1) });
  parse("heartbeat", heartbeat(4096));
  assert.throws(() => parse("heartbeat", heartbeat(4097)));
  parse("identify", { capabilities: [], worker_id: "w".repeat(128) });
  assert.throws(() => parse("identify", { capabilities: [], worker_id: "w".repeat(129) }));
  assert.throws(() => parse("identify", { capabilities: [], worker_id: "" }));
});

Deno.test("a metric is an integer and an artifact holds text only, as plain v4 has them", () => {
  const conclude = { status: "SUCCESS", metrics: {}, artifacts: [] };
  parse("conclude", { ...conclude, metrics: { rows: -1 }, artifacts: [{ any: "text" }] });
  assert.throws(() => parse("conclude", { ...conclude, metrics: { seconds: 0.5 } }));
  assert.throws(() => parse("conclude", { ...conclude, artifacts: [{ rows: 3 }] }));
});

Deno.test("a log line's level is one of the bridge's", () => {
  const log = (level: number) => ({ attempt: 1, lines: [[0, level, ""]] });
  parse("log", log(5));
  assert.throws(() => parse("log", log(6)));
});

Deno.test("feature and error names are fixed, as peers and the store know them", () => {
  assert.deepEqual([...FEATURES], ["receipt-ack", "attempts", "logs", "resolve", "try"]);
  assert.deepEqual(ErrorKind.options, [
    "plugin",
    "timeout",
    "memory",
    "environment",
    "contract",
    "gatekeeper",
    "worker_lost",
    "file_changed",
    "sink",
    "aborted",
  ]);
});
