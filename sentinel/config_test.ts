import assert from "node:assert/strict";
import { UsageError } from "../protocol/exit_codes.ts";
import { sentinelConfig, type SentinelOptions } from "./config.ts";

const config = (options: Partial<SentinelOptions> = {}) =>
  sentinelConfig({ state: "state", ...options }, "/home/ann", () => "/tmp/short");

Deno.test("paths are meant from the user's folder, and all state lies in one", () => {
  const { stateDir, address, eventsAddress, databasePath, excludedFolders } = config({
    output: "out",
  });
  assert.equal(stateDir, "/home/ann/state");
  assert.equal(address, "ipc:///home/ann/state/run/control.sock");
  assert.equal(eventsAddress, `${address}.events`);
  assert.equal(databasePath, "/home/ann/state/casparian.sqlite3");
  assert.deepEqual(excludedFolders, ["/home/ann/state", "/home/ann/out"]);
  assert.equal(config({ database: "sqlite://db" }).databasePath, "/home/ann/db");
});

Deno.test("a state folder whose name is too long for a socket gets one of its own", () => {
  const pathOf = (length: number) => config({ state: `/${"x".repeat(length - 1)}` }).address;
  const ownBytes = "/run/control.sock.events".length;
  assert.match(pathOf(90 - ownBytes), /^ipc:\/\/\/x+\/run/);
  assert.equal(pathOf(91 - ownBytes), "ipc:///tmp/short/control.sock");
});

Deno.test("a root may have a name, and its folder may have an = of its own", () => {
  assert.deepEqual(config({ root: ["in", "sales=data", "/a/b=c"] }).roots, [
    { directory: "/home/ann/in" },
    { name: "sales", directory: "/home/ann/data" },
    { directory: "/a/b=c" },
  ]);
  assert.throws(() => config({ root: [""] }), UsageError);
});

Deno.test("a root may have rules, told by its folder", () => {
  const rootRules = JSON.stringify({ data: { marker: "*.done" } });
  const root = ["sales=data", "other"];
  assert.deepEqual(config({ root, rootRules }).roots, [
    { name: "sales", directory: "/home/ann/data", marker: "*.done" },
    { directory: "/home/ann/other" },
  ]);
  for (const wrong of ["{", '{"data": {"settle": 1}}', '{"elsewhere": {}}', "[]"]) {
    assert.throws(() => config({ root, rootRules: wrong }), UsageError, wrong);
  }
});

Deno.test("plain TCP is shown as a danger on this machine and refused beyond it", () => {
  const local = config({ listen: "tcp://127.0.0.1:7000" });
  assert.equal(local.eventsAddress, "tcp://127.0.0.1:*");
  assert.match(local.warning!, /plain TCP/);
  assert.throws(() => config({ listen: "tcp://0.0.0.0:7000" }), UsageError);
  assert.equal(config().warning, null);
});
