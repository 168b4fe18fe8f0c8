import assert from "node:assert/strict";
import type { PluginRow } from "../store/store.ts";
import { ClusterWorld, pluginRow } from "./testing.ts";

function pending(id: number, requirements: string[]): PluginRow {
  const row = { id, name: `p${id}`, status: "PENDING" as const, requirements };
  return pluginRow({ ...row, artifactHash: null, envHash: null });
}

function publishing(...unfinished: PluginRow[]): ClusterWorld {
  const world = new ClusterWorld();
  world.cluster.publishing.setPlugins(unfinished);
  return world;
}

function resolves(world: ClusterWorld): unknown[] {
  world.dispatches();
  return world.sent("resolve").map(({ peer, body }) => [peer, body.requirements]);
}

Deno.test("one RESOLVE is under way per set of requirements, however many plugins share it", () => {
  const world = publishing(pending(1, ["x"]), pending(2, ["x"]), pending(3, ["y"]));
  assert.deepEqual(resolves(world), [], "no worker is there yet");
  world.join("a", "w1");
  assert.deepEqual(resolves(world), [["a", ["x"]], ["a", ["y"]]]);
  assert.deepEqual(resolves(world), []);
  world.says("a", { name: "resolved", jobId: 0, body: { id: 1, lockfile_content: "lock" } });
  assert.deepEqual(
    world.changes.map((change) => change.type === "plugin_locked" && change),
    [1, 2].map((pluginId) => ({
      type: "plugin_locked",
      pluginId,
      lockfile: "lock",
      envHash: "sha:lock",
      artifactHash: "sha:sourcelock",
    })),
  );
  assert.deepEqual(resolves(world), [], "the plan of the same turn does not ask again");
});

Deno.test("requirements that cannot be locked reject each version with uv's own words", () => {
  const world = publishing(pending(1, ["x"]), pending(2, ["x"]));
  world.join("a", "w1");
  resolves(world);
  world.says("a", { name: "resolved", jobId: 0, body: { id: 1, error: "no such package" } });
  assert.deepEqual(
    world.changes,
    [1, 2].map((pluginId) => (
      { type: "plugin_rejected", pluginId, reason: "no such package" }
    )),
  );
});

Deno.test("a worker that is lost while it locks is replaced, and its late answer is ignored", () => {
  const world = publishing(pending(1, ["x"]));
  world.join("a", "w1");
  resolves(world);
  world.ticks(8001);
  assert.equal(world.change("worker_lost")?.workerId, "w1");
  world.join("b", "w2");
  assert.deepEqual(resolves(world), [["b", ["x"]]]);
  world.join("c", "w1");
  world.says("c", { name: "resolved", jobId: 0, body: { id: 1, lockfile_content: "old" } });
  assert.deepEqual(world.changes, []);
  world.says("b", { name: "resolved", jobId: 0, body: { id: 2, lockfile_content: "new" } });
  assert.equal(world.change("plugin_locked")?.lockfile, "new");
});

Deno.test("a staged version is activated once its environment is built, by one worker", () => {
  const world = publishing(pluginRow({ id: 5, status: "STAGING", envHash: "e" }));
  world.join("a", "w1");
  world.join("b", "w2");
  world.dispatches();
  assert.deepEqual(world.effects.map((effect) => effect.type === "prepare" && effect.envHash), [
    "e",
  ]);
  const built = { env_hash: "e", interpreter_path: "/python" };
  world.says("a", { name: "env_ready", jobId: 0, body: built });
  assert.equal(world.change("plugin_activated")?.pluginId, 5);
  assert.ok(world.effects.some(({ type }) => type === "plugins_changed"));
  world.says("b", { name: "env_ready", jobId: 0, body: built });
  assert.equal(world.change("plugin_activated"), undefined, "it is decided already");
});

Deno.test("a staged version whose environment cannot be built is rejected", () => {
  const world = publishing(pluginRow({ id: 5, status: "STAGING", envHash: "e" }));
  world.join("a", "w1");
  const body = { env_hash: "e", interpreter_path: "", error: "no compiler" };
  world.says("a", { name: "env_ready", jobId: 0, body });
  assert.match(world.change("plugin_rejected")!.reason, /cannot be built: no compiler/);
});
