import assert from "node:assert/strict";
import { pluginRow } from "./core/testing.ts";
import { Intake } from "./intake.ts";
import type { Store, WantedJob } from "./store/store.ts";

/** An intake over a store of `files` files, all named `N.csv`, that keeps what is asked of it. */
class IntakeWorld {
  readonly wanted: WantedJob[] = [];
  readonly progress: [number, number | null][] = [];
  readonly queued: number[] = [];
  readonly intake: Intake;

  constructor(files: number) {
    const store: Partial<Store> = {
      currentFiles: (after, limit) =>
        Promise.resolve(
          Array.from({ length: Math.max(0, Math.min(limit, files - after)) }, (_, n) => {
            const fileId = after + n + 1;
            return { fileId, versionId: fileId, path: `${fileId}.csv` };
          }),
        ),
      observe: ({ seen }) =>
        Promise.resolve(
          seen.map(({ name }, n) => ({ fileId: n + 1, versionId: n + 1, path: name })),
        ),
      enqueue: (wanted) => {
        this.wanted.push(...wanted);
        return Promise.resolve({ queued: [...new Set(wanted.map(({ pluginId }) => pluginId))] });
      },
      intakeProgress: (pluginId, after) => {
        this.progress.push([pluginId, after]);
        return Promise.resolve();
      },
    };
    const clock = { nowMs: () => 1 };
    this.intake = new Intake(store as Store, clock, (ids) => this.queued.push(...ids));
  }

  see(...names: string[]): Promise<void> {
    const seen = names.map((name) => ({ folder: "", name, size: 1, mtimeMs: 1, contentHash: "" }));
    return this.intake.observed({ rootId: 1, seen, deleted: [], unreadable: [], mended: [] });
  }
}

Deno.test("a file is wanted once per plugin, however many routes lead to it, by the highest priority", async () => {
  const world = new IntakeWorld(0);
  const patterns = ["*.csv", "a.*"];
  const plugin = pluginRow({ id: 4, name: "p", patterns, manifest: { priority: 10 } });
  const rule = { id: 1, pattern: "*.csv", tag: "t", priority: 5, enabled: true, description: "" };
  const rules = [rule, { ...rule, id: 2, priority: 90, enabled: false }];
  world.intake.setRoutes([plugin], rules, [{ plugin: "p", tag: "t" }]);
  await world.see("a.csv", "b.txt");
  assert.deepEqual(world.wanted.map(({ fileId, priority }) => [fileId, priority]), [[1, 15]]);
  assert.deepEqual(world.queued, [4]);
});

Deno.test("a backfill goes on in chunks from where it was, versions at one place together", async () => {
  const world = new IntakeWorld(2500);
  const at = (id: number, intakeAfterFileId: number | null) =>
    pluginRow({ id, name: `p${id}`, intakeAfterFileId });
  world.intake.setRoutes([at(1, 1000), at(2, 1000), at(3, null)], [], []);
  assert.equal(world.intake.backfilling, 2);
  assert.equal(await world.intake.backfill(), true);
  assert.deepEqual(world.progress, [[1, 2000], [2, 2000]]);
  assert.equal(await world.intake.backfill(), true);
  assert.deepEqual(world.progress.slice(2), [[1, null], [2, null]]);
  assert.equal(await world.intake.backfill(), false);
  const filesOf = (id: number) => world.wanted.filter(({ pluginId }) => pluginId === id).length;
  assert.deepEqual([1, 2, 3].map(filesOf), [1500, 1500, 0]);
});
