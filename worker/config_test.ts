import assert from "node:assert/strict";
import { CliError, UsageError } from "../protocol/exit_codes.ts";
import { type ConfigContext, readWorkerConfig } from "./config.ts";

const context: ConfigContext = {
  cwd: "/home/me",
  cores: 4,
  startId: "0a1b2c3d",
  readText: (path) => {
    if (path !== "/home/me/.casparian/sentinel.json") throw new Deno.errors.NotFound(path);
    return JSON.stringify({ address: "ipc:///run/s.sock", pid: 1 });
  },
};

Deno.test("without options a worker finds the sentinel of its state folder", () => {
  const config = readWorkerConfig({}, context);
  assert.equal(config.address, "ipc:///run/s.sock");
  assert.equal(config.warning, null);
  assert.equal(config.slots, 4);
  assert.equal(config.folders.output, "/home/me/.casparian/output");
  assert.equal(config.runDir, "/home/me/.casparian/run/0a1b2c3d");
});

Deno.test("without a sentinel's file the error says what to do", () => {
  const state = { state: "elsewhere" };
  assert.throws(
    () => readWorkerConfig(state, context),
    (error) => error instanceof CliError && /--connect/.test(error.message),
  );
});

Deno.test("paths are meant from where the user stands", () => {
  const config = readWorkerConfig({
    connect: "tcp://127.0.0.1:5555",
    output: "out",
    map: ["lake=../lake", "raw=/mnt/a=b"],
  }, context);
  assert.equal(config.folders.output, "/home/me/out");
  assert.deepEqual(config.folders.maps, { lake: "/home/lake", raw: "/mnt/a=b" });
  assert.match(config.warning ?? "", /plain TCP/);
});

Deno.test("plain TCP beyond this machine needs both consents", () => {
  const options = { connect: "tcp://10.0.0.1:5555", insecureTcp: true };
  assert.throws(() => readWorkerConfig(options, context), UsageError);
  const config = readWorkerConfig({ ...options, yesReally: true }, context);
  assert.match(config.warning ?? "", /plain TCP/);
});

Deno.test("one error lists every wrong option, with what was given", () => {
  const wrong = { slots: "0", sandbox: "Z", map: ["ok=/x", "nonsense"], drainTimeout: "soon" };
  assert.throws(() => readWorkerConfig(wrong, context), (error) => {
    assert.ok(error instanceof UsageError);
    const lines = error.message.split("\n");
    assert.equal(lines.length, 4, error.message);
    assert.ok(lines.every((line) => line.startsWith("Cannot use --")), error.message);
    assert.match(error.message, /--slots as it must be a whole number from 1 to 1024: got '0'/);
    assert.match(error.message, /--map as it must be NAME=DIR: got 'nonsense'/);
    assert.match(error.message, /--drain-timeout .*got 'soon'/);
    return true;
  });
});
