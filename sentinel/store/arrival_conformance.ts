/** For tests: the part of store_conformance.ts that is about files that arrive, and the rules of roots. */
import assert from "node:assert/strict";
import { readyJobs } from "./scheduling_conformance.ts";
import type { StoreWorld } from "./store_conformance.ts";

export function arrivalConformance(
  test: (behaviour: string, work: (world: StoreWorld) => Promise<void>) => void,
): void {
  test("a file that is arriving is counted as such until it is taken or goes away", async (world) => {
    const place = { folder: "d", name: "a" };
    const file = { ...place, size: 9, mtimeMs: 1, reason: "it is still being written" };
    const counts = async () => {
      const { files, arriving } = (await world.store.roots())[0]!;
      return [files, arriving];
    };
    await world.observe({ arriving: [file] });
    await world.observe({ arriving: [{ ...file, reason: "its end is not there" }] });
    assert.deepEqual(await counts(), [0, 1]);
    assert.deepEqual(await world.store.currentFiles(0, 9), []);
    await world.observe({ mended: [place] });
    assert.deepEqual(await counts(), [0, 0]);
    await world.observe({ arriving: [file] });
    await world.see("a", "A");
    assert.deepEqual(await counts(), [1, 0]);
  });

  test("a file that arrives anew after it was deleted is no file until it is taken", async (world) => {
    const pluginId = await world.publish("v1");
    const place = { folder: "d", name: "a" };
    await world.queue(pluginId, "a", "A");
    await world.observe({ deleted: [place] });
    await world.observe({ arriving: [{ ...place, size: 1, mtimeMs: 1, reason: "half" }] });
    assert.deepEqual(await world.store.currentFiles(0, 9), []);
    assert.equal((await world.queue(pluginId, "a", "A"))?.contentHash, "A", "its job is back");
  });

  test("a file that was a problem after it was deleted gets its job back, too", async (world) => {
    const pluginId = await world.publish("v1");
    const place = { folder: "d", name: "a" };
    await world.queue(pluginId, "a", "A");
    await world.observe({ deleted: [place] });
    await world.observe({ unreadable: [{ ...place, reason: "EACCES" }] });
    assert.equal((await world.queue(pluginId, "a", "A"))?.contentHash, "A");
  });

  test("a job that was superseded while it ran ends there, however its attempt ends", async (world) => {
    const pluginId = await world.publish("v1");
    const old = (await world.queue(pluginId, "a", "A"))!;
    assert.ok(await world.claim(old));
    const newer = (await world.queue(pluginId, "a", "B"))!;
    assert.ok(await world.fail(old, { state: "QUEUED", notBeforeMs: 9 }));
    assert.equal(await world.store.nextWakeMs(), null);
    await world.store.commit([{ type: "wake", nowMs: 10 }]);
    const ready = await readyJobs(world.store, pluginId);
    assert.deepEqual(ready.map(({ jobId }) => jobId), [newer.jobId]);
    const { jobs } = await world.store.counts();
    assert.equal(jobs.find(({ state }) => state === "CANCELLED")?.jobs, 1);
    await world.queue(pluginId, "a", "A"); // a return to it queues it anew
    const again = await readyJobs(world.store, pluginId);
    assert.deepEqual(again.map(({ contentHash }) => contentHash), ["A"]);
  });

  test("a root has the rules it is given, or those that are usual", async ({ store }) => {
    const place = { name: "in", directory: "/in", settleMs: 1, pollMs: 2 };
    const rules = async () => {
      const [root] = await store.roots();
      const { settle_ms, patience_ms, poll_ms, poll_only, marker, partial, ignore } = root!;
      return [settle_ms, patience_ms, poll_ms, poll_only, marker, partial, ignore];
    };
    assert.deepEqual(await rules(), [0, null, 1, null, null, ["default"], []]);
    const own = { marker: "*.done", partial: [], ignore: ["*.bak"] };
    await store.addRoot({ ...place, ...own, patienceMs: 3, pollOnly: false });
    assert.deepEqual(await rules(), [1, 3, 2, false, "*.done", [], ["*.bak"]]);
    await store.addRoot(place);
    assert.deepEqual(await rules(), [1, null, 2, null, null, ["default"], []]);
  });
}
