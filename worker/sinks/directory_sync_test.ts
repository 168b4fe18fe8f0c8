import assert from "node:assert/strict";
import { syncDirectory } from "./directory_sync.ts";

// Goal: a name made after a sync began may have missed it, so it must not be served by that one.
Deno.test("syncs asked for while one runs share the next one, and none is served too early", async () => {
  const path = await Deno.makeTempDir();
  const first = syncDirectory(path);
  const second = syncDirectory(path);
  assert.notEqual(second, first);
  assert.equal(syncDirectory(path), second);
  await first;
  await second;
  assert.notEqual(syncDirectory(path), second);
  await Deno.remove(path, { recursive: true });
});

Deno.test("a folder that is gone fails those who ask, and not those who ask later", async () => {
  const path = await Deno.makeTempDir();
  await Deno.remove(path);
  await assert.rejects(Promise.all([syncDirectory(path), syncDirectory(path)]));
  await Deno.mkdir(path);
  await syncDirectory(path);
  await Deno.remove(path);
});
