import assert from "node:assert/strict";
import { METHODS } from "../../protocol/control.ts";
import { openSqliteStore } from "./sqlite.ts";
import { openSqliteReads } from "./sqlite_reads.ts";
import type { Observations, Store } from "./store.ts";

/** A store with one root and its reads. */
async function withReads(
  use: (world: {
    store: Store;
    observe(over: Partial<Observations>): Promise<unknown>;
    files(only: "arriving" | "unclaimed" | "noted" | "deleted"): Record<string, unknown>[];
  }) => Promise<void>,
): Promise<void> {
  const directory = Deno.makeTempDirSync({ prefix: "casparian-reads-" });
  const store = openSqliteStore(`${directory}/db`, () => 1);
  const rootId = await store.addRoot({ name: "in", directory: "/in", settleMs: 0, pollMs: 1 });
  const reads = openSqliteReads(`${directory}/db`);
  const none = { rootId, seen: [], deleted: [], unreadable: [], mended: [] };
  try {
    await use({
      store,
      observe: (over) => store.observe({ ...none, ...over }, 2),
      files: (only) => {
        const { result, params } = METHODS["files.list"];
        return result.parse(reads["files.list"](params.parse({ only }))).files;
      },
    });
  } finally {
    reads.close();
    await store.close();
    Deno.removeSync(directory, { recursive: true });
  }
}

function assertHolds(row: Record<string, unknown>, expected: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(expected)) assert.deepEqual(row[key], value, key);
}

Deno.test("files that are still arriving are listed with the reason, and are unclaimed by nobody", () =>
  withReads(async ({ observe, files }) => {
    const file = { folder: "d", name: "x.gz", size: 5, mtimeMs: 1 };
    const reason = "its gzip trailer is not there yet";
    await observe({ arriving: [{ ...file, reason }] });
    const [listed, ...more] = files("arriving");
    assert.deepEqual(more, []);
    const nothing = { content_hash: null, versions: 0, deleted_at_ms: null, note: null };
    assertHolds(listed!, { path: "d/x.gz", size: 5, arriving: reason, ...nothing });
    assert.deepEqual(files("unclaimed"), []);
    const note = "Taken although its gzip trailer was not there";
    await observe({ seen: [{ ...file, contentHash: "h", note }] });
    assert.deepEqual(files("arriving"), []);
    assert.equal(files("unclaimed").length, 1);
    assert.deepEqual(files("noted").map((each) => each.note), [note]);
  }));

Deno.test("a file that no longer counts says so", () =>
  withReads(async ({ observe, files }) => {
    const place = { folder: "", name: "x.bak" };
    await observe({ seen: [{ ...place, size: 1, mtimeMs: 1, contentHash: "h" }] });
    await observe({ deleted: [{ ...place, ignored: true }] });
    assert.equal(files("deleted")[0]!.note, "It no longer counts by the rules of its root");
  }));
