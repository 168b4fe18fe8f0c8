import assert from "node:assert/strict";
import { Roots } from "./roots.ts";
import type { ScanSummary } from "./scanner/observations.ts";
import { openSqliteStore } from "./store/sqlite.ts";

/** Roots over a real store; what is logged, and which roots are asked to be scanned, is kept. */
class RootsWorld implements AsyncDisposable {
  readonly store = openSqliteStore(":memory:", () => 1);
  readonly logged: string[] = [];
  readonly roots = new Roots({
    store: this.store,
    scanner: { setRoots: () => {}, scanNow: () => Promise.resolve([]) },
    clock: { nowMs: () => 1 },
    logger: { log: (level, text) => void this.logged.push(`${level} ${text}`) },
    mayRead: () => true,
    onChanged: () => {},
  });

  static async open(): Promise<RootsWorld> {
    const world = new RootsWorld();
    await world.roots.add({ name: "in", directory: "/in" });
    return world;
  }

  scanned(over: Partial<ScanSummary>): void {
    this.roots.scanned({
      ...{ rootId: 1, files: 0, folders: 1, unsettled: 0, unsettledSuchAs: null, unreadable: 0 },
      ...{ seen: 0, deleted: 0, refused: 0, durationMs: 1, problem: null },
      ...{ fileSystem: null, isShare: false },
      ...over,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.roots.stop();
    await this.store.close();
  }
}

Deno.test("what is still arriving is waited for, with one file and its reason as an example", async () => {
  await using world = await RootsWorld.open();
  assert.deepEqual(world.roots.waitingFor(), ["the first scan of root 'in'"]);
  world.scanned({ unsettled: 2, unsettledSuchAs: "a.gz: its gzip trailer is not there yet" });
  const text = "2 files in 'in' still arriving, such as a.gz: its gzip trailer is not there yet";
  assert.deepEqual(world.roots.waitingFor(), [text]);
  world.scanned({});
  assert.deepEqual(world.roots.waitingFor(), []);
});

Deno.test("that a root lies on a share is shown, and told once with what to do", async () => {
  await using world = await RootsWorld.open();
  world.scanned({ fileSystem: "nfs", isShare: true });
  world.scanned({ fileSystem: "nfs", isShare: true });
  const polled =
    "info Root in lies on nfs: it is only polled, every 10 s, and its clock is not believed";
  assert.deepEqual(world.logged, [polled]);
  assert.equal((await world.roots.list()).roots[0]!.file_system, "nfs");
  world.scanned({});
  world.scanned({ fileSystem: "smb", isShare: false });
  assert.match(world.logged[1]!, /^warning Root in lies on smb: .*roots set in --poll-only auto$/);
});

Deno.test("a root keeps its rules until they are changed, also when it is added again", async () => {
  await using world = await RootsWorld.open();
  const holds = async (expected: Record<string, unknown>) => {
    const root = (await world.roots.list()).roots[0] as Record<string, unknown>;
    for (const [key, value] of Object.entries(expected)) assert.deepEqual(root[key], value, key);
  };
  await holds({ settle_ms: 2000, patience_ms: 60_000, poll_ms: 10_000, partial: ["default"] });
  const rules = { settle_ms: 5000, marker: "*.done", ignore: ["*.bak"], poll_only: true };
  await world.roots.set({ name: "in", ...rules });
  await holds({ ...rules, directory: "/in", poll_ms: 10_000, patience_ms: 60_000, arriving: 0 });
  await world.roots.set({ name: "in", settle_ms: 20_000, marker: null });
  const changed = { ...rules, settle_ms: 20_000, patience_ms: 200_000, marker: null };
  await holds(changed);
  await world.roots.add({ directory: "/moved", name: "in" }); // as a restart with --root does
  await holds({ ...changed, directory: "/moved" });
  await world.roots.set({ name: "in", patience_ms: 1, partial: [], poll_only: null });
  await holds({ ...changed, patience_ms: 20_000, partial: [], poll_only: null });
  await world.roots.remove("in");
  await world.roots.add({ directory: "/in", name: "in" });
  await holds({ settle_ms: 2000, marker: null, ignore: [], patience_ms: 60_000 });
});
