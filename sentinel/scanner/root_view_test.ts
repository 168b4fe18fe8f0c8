import assert from "node:assert/strict";
import { openDisk } from "./disk.ts";
import type { Observations } from "./observations.ts";
import { Outbox } from "./outbox.ts";
import { RootView } from "./root_view.ts";

/** A view of a root on the disk, whose outbox sends nothing by itself. */
class ViewWorld {
  readonly directory = Deno.makeTempDirSync({ prefix: "casparian-view-" });
  readonly batches: Observations[] = [];
  readonly outbox: Outbox;
  readonly view: RootView;
  readonly #clock = { nowMs: () => 0, wallMs: () => Date.now() };

  constructor() {
    this.outbox = new Outbox({
      ...{ rootId: 1, clock: this.#clock, onRefused: () => {} },
      // deno-lint-ignore require-await
      send: async (observations) => void this.batches.push(observations),
    });
    const place = { rootId: 1, name: "in", directory: this.directory, excludedFolders: [] };
    const times = { settleMs: 0, patienceMs: 60_000, relookMs: 10_000 };
    this.view = new RootView(place, times, {
      ...{ disk: openDisk(), outbox: this.outbox, clock: this.#clock },
      known: { folder: () => new Map(), folders: () => [], pending: () => [], close: () => {} },
      breathe: () => Promise.resolve(),
    });
    this.view.open();
  }

  /** Looks at a folder, and takes what is ready in it. */
  async look(folder: string): Promise<void> {
    const visit = await this.view.visit(folder);
    if (visit.state === "listed") { for (const each of visit.ready) await this.view.examine(each); }
  }

  /** What was told, a list of kinds for each batch. */
  async told(): Promise<string[][]> {
    await this.outbox.drain();
    return this.batches.map((batch) =>
      Object.entries(batch).filter(([, files]) => Array.isArray(files) && files.length > 0)
        .map(([kind]) => kind)
    );
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

// In one batch the store would take what was said first for what was said last.
Deno.test("that a file is arriving and that it is taken are never told in one batch", async () => {
  using world = new ViewWorld();
  const path = `${world.directory}/x.json`;
  Deno.writeTextFileSync(path, "[1");
  Deno.utimeSync(path, Date.now() / 1000 - 5.001, Date.now() / 1000 - 5.001);
  const visit = await world.view.visit("");
  assert.equal(visit.state, "listed");
  if (visit.state !== "listed") return;
  const [arrival] = visit.ready;
  await world.view.examine(arrival!);
  const { mtime } = Deno.statSync(path);
  Deno.writeTextFileSync(path, "[]"); // as long as before
  Deno.utimeSync(path, mtime!, mtime!);
  await world.view.examine({ ...arrival!, file: { ...arrival!.file, inode: null } });
  assert.deepEqual(await world.told(), [["arriving"], ["seen"]]);
});

Deno.test("that a file is arriving and that it went away are never told in one batch", async () => {
  using world = new ViewWorld();
  Deno.mkdirSync(`${world.directory}/a`);
  Deno.writeTextFileSync(`${world.directory}/a/x.json`, "[1");
  await world.look("");
  await world.look("a");
  await world.view.vanish("a");
  assert.deepEqual(await world.told(), [["arriving"], ["mended"]]);
});
