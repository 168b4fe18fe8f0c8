import assert from "node:assert/strict";
import { METHODS } from "../protocol/control.ts";
import { Registry, sha256 } from "./registry.ts";
import { openSqliteStore } from "./store/sqlite.ts";
import type { Store } from "./store/store.ts";

const source = (version: string) =>
  `MANIFEST = {"name": "p", "version": "${version}", "pattern": "*.csv", "topic": "t"}

class Handler:
    def execute(self, file_path):
        yield None
`;

async function withRegistry(work: (registry: Registry, store: Store) => Promise<void>) {
  const store = openSqliteStore(":memory:", () => 1);
  try {
    await work(new Registry(store, { nowMs: () => 1 }), store);
  } finally {
    await store.close();
  }
}

function params(version: string, more: Record<string, unknown> = { lockfile_content: "lock" }) {
  const file = { source_code: source(version), file_name: "p.py" };
  return METHODS["plugins.publish"].params.parse({ ...file, ...more });
}

function activate(store: Store, pluginId: number) {
  return store.commit([{ type: "plugin_activated", pluginId, nowMs: 1 }]);
}

Deno.test("an older version that is published again is the way back; the active one is unchanged", () =>
  withRegistry(async (registry, store) => {
    const first = await registry.publish(params("1"));
    await activate(store, first.plugin_id);
    assert.equal((await registry.publish(params("1"))).unchanged, true);
    const second = await registry.publish(params("2"));
    await activate(store, second.plugin_id);
    const back = await registry.publish(params("1"));
    assert.deepEqual([back.plugin_id, back.unchanged], [first.plugin_id, false]);
    assert.equal((await store.plugin(first.plugin_id))?.status, "STAGING");
    await activate(store, first.plugin_id);
    assert.deepEqual((await store.activePlugins()).map(({ version }) => version), ["1"]);
  }));

Deno.test("without a lockfile a version waits for its sorted requirements to be locked, once", () =>
  withRegistry(async (registry, store) => {
    const named = { requirements: ["z", " a ", "z"] };
    const { plugin_id } = await registry.publish(params("1", named));
    const row = await store.plugin(plugin_id);
    assert.deepEqual([row?.status, row?.requirements], ["PENDING", ["a", "pyarrow", "z"]]);
    const requirements = row!.requirements!;
    await store.saveLockfile({ envHash: sha256("l"), lockfile: "l", requirements, python: null });
    const next = await store.plugin((await registry.publish(params("2", named))).plugin_id);
    assert.deepEqual([next?.status, next?.envHash], ["STAGING", sha256("l")]);
    const upgraded = await registry.publish(params("3", { ...named, upgrade: true }));
    assert.equal((await store.plugin(upgraded.plugin_id))?.status, "PENDING");
  }));

Deno.test("a manifest that is wrong is refused by file and rule, and nothing is stored", () =>
  withRegistry(async (registry, store) => {
    const bad = { ...params("1"), source_code: "x = 1\n" };
    await assert.rejects(registry.publish(bad), (error: Error & { code?: string }) => {
      return error.code === "invalid" && /Cannot publish p\.py/.test(error.message);
    });
    assert.deepEqual(await store.unfinishedPlugins(), []);
  }));

Deno.test("a DEPLOY is taken only with the hashes of what it brings", () =>
  withRegistry(async (registry, store) => {
    const body = {
      plugin_name: "p",
      version: "1",
      source_code: source("1"),
      lockfile_content: "lock",
      env_hash: sha256("lock"),
      artifact_hash: sha256(`${source("1")}lock`),
      signature: "",
      publisher_name: "ann",
    };
    for (const name of ["env_hash", "artifact_hash"] as const) {
      const { success, message } = await registry.deploy({ ...body, [name]: "0" });
      assert.equal(success, false);
      assert.match(message, new RegExp(`${name} must be the SHA-256 .* got 0`));
    }
    const bad = { ...body, source_code: "x = 1", artifact_hash: sha256("x = 1lock") };
    assert.equal((await registry.deploy(bad)).success, false);
    assert.deepEqual(await store.unfinishedPlugins(), []);
    const { success, plugin_id } = await registry.deploy(body);
    assert.equal(success, true);
    assert.equal((await store.plugin(plugin_id!))?.status, "STAGING");
  }));
