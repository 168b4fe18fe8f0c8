import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { POLL_MS, ScanWorld, SETTLE_MS } from "./testing.ts";

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

Deno.test("an old file is told at first sight, with size, mtime and hash", async () => {
  using world = new ScanWorld();
  world.write("a/b/x.csv", "hello");
  const summary = await world.scanNow();
  const mtimeMs = world.wallMs - 60_000;
  const { ctime, ino: inode } = Deno.lstatSync(`${world.root}/a/b/x.csv`);
  const stamp = { size: 5, mtimeMs, ctimeMs: ctime!.getTime(), inode };
  assert.deepEqual(world.take("seen"), [
    { folder: "a/b", name: "x.csv", ...stamp, contentHash: sha256("hello"), note: null },
  ]);
  assert.equal(summary.files, 1);
  assert.equal(summary.folders, 3);
  assert.equal(summary.seen, 1);
  assert.equal(summary.unsettled, 0);
  assert.equal(summary.problem, null);
});

Deno.test("an unchanged tree is told once and hashed once", async () => {
  using world = new ScanWorld();
  for (let i = 0; i < 20; i++) world.write(`d${i % 3}/f${i}.csv`, `${i}`);
  await world.scanNow();
  assert.equal(world.take("seen").length, 20);
  await world.scanNow();
  await world.pass(5 * POLL_MS);
  assert.equal(world.take("seen").length, 0);
  assert.equal(world.hashes, 20);
});

// Goal: the settle time is counted from the mtime, and the file is taken in that very millisecond.
Deno.test("a young file is told exactly when it has been still for the settle time", async () => {
  using world = new ScanWorld();
  world.write("x.csv", "1", 500);
  assert.equal((await world.scanNow()).unsettled, 1);
  await world.pass(SETTLE_MS - 500 - 1);
  assert.equal(world.take("seen").length, 0);
  await world.pass(1);
  assert.equal(world.take("seen").length, 1);
});

Deno.test("a file that is still being written is told when it stops growing", async () => {
  using world = new ScanWorld();
  world.write("x.csv", "", 0);
  await world.scanNow();
  for (let i = 1; i <= 5; i++) {
    await world.pass(SETTLE_MS - 100);
    assert.deepEqual(world.stored(), []);
    world.write("x.csv", "row\n".repeat(i), 0);
  }
  await world.pass(SETTLE_MS);
  const [seen, ...more] = world.take("seen");
  assert.equal(seen?.size, 20);
  assert.deepEqual(more, []);
});

Deno.test("an mtime in the future settles from the first sight on", async () => {
  using world = new ScanWorld();
  world.write("x.csv", "1", -3_600_000);
  await world.scanNow();
  await world.pass(SETTLE_MS - 1);
  assert.deepEqual(world.stored(), []);
  await world.pass(1);
  assert.deepEqual(world.stored(), ["x.csv"]);
});

Deno.test("a file that changes while it is hashed is not told until it is still again", async () => {
  using world = new ScanWorld();
  world.write("x.csv", "before");
  world.onHash = () => {
    if (world.hashes === 1) world.write("x.csv", "after!", 0); // the same size
  };
  assert.equal((await world.scanNow()).unsettled, 1);
  assert.deepEqual(world.stored(), []);
  await world.pass(SETTLE_MS);
  assert.deepEqual(world.take("seen").map((file) => file.contentHash), [sha256("after!")]);
});

Deno.test("changes, a change back and deletions are told by the next pass", async () => {
  using world = new ScanWorld();
  const told: string[] = [];
  for (const [text, ageMs] of [["A", 90_000], ["B", 80_000], ["A", 70_000]] as const) {
    world.write("x.csv", text, ageMs);
    await world.scanNow();
    told.push(...world.take("seen").map((file) => file.contentHash));
  }
  assert.deepEqual(told, ["A", "B", "A"].map(sha256));
  world.write(".keep", "");
  Deno.removeSync(`${world.root}/x.csv`);
  await world.scanNow();
  assert.deepEqual(world.take("deleted"), [{ folder: "", name: "x.csv", ignored: false }]);
});

Deno.test("a vanished folder takes its files with it, also after a restart", async () => {
  using world = new ScanWorld();
  world.write("keep.csv", "1");
  world.write("a/b/x.csv", "1");
  world.write("a/y.csv", "1");
  await world.scanNow();
  Deno.removeSync(`${world.root}/a`, { recursive: true });
  world.scan.forget();
  assert.equal((await world.scanNow()).deleted, 2);
  assert.deepEqual(world.stored(), ["keep.csv"]);
});

Deno.test("a rename is a file that goes and a file that comes", async () => {
  using world = new ScanWorld();
  world.write("a/x.csv", "1");
  await world.scanNow();
  Deno.renameSync(`${world.root}/a`, `${world.root}/b`);
  await world.scanNow();
  assert.deepEqual(world.stored(), ["b/x.csv"]);
});

Deno.test("an unreadable folder is a problem, told once, and its files stay", async () => {
  using world = new ScanWorld();
  world.write("a/deep/x.csv", "1");
  world.write("b/y.csv", "1");
  await world.scanNow();
  world.broken.set(`${world.root}/a`, new Deno.errors.PermissionDenied("no"));
  for (let i = 0; i < 3; i++) assert.equal((await world.scanNow()).unreadable, 1);
  assert.deepEqual(world.stored(), ["a/deep/x.csv", "b/y.csv"]);
  const unreadable = world.take("unreadable");
  assert.deepEqual(unreadable.map(({ folder, name }) => [folder, name]), [["a", ""]]);
  assert.match(unreadable[0]!.reason, /permission denied; change its mode or owner$/);
  world.broken.clear();
  assert.equal((await world.scanNow()).unreadable, 0);
  assert.deepEqual(world.take("mended"), [{ folder: "a", name: "" }]);
});

Deno.test("an unreadable file is told once, and seen when it can be read", async () => {
  using world = new ScanWorld();
  world.write("x.csv", "1");
  world.broken.set(`${world.root}/x.csv`, new Deno.errors.PermissionDenied("no"));
  for (let i = 0; i < 3; i++) await world.scanNow();
  assert.deepEqual(world.take("unreadable").map(({ name }) => name), ["x.csv"]);
  world.broken.clear();
  assert.equal((await world.scanNow()).unreadable, 0);
  assert.deepEqual(world.stored(), ["x.csv"]);
});

Deno.test("a known file that can no longer be read after a change is not taken for deleted", async () => {
  using world = new ScanWorld();
  world.write("x.csv", "1");
  await world.scanNow();
  world.write("x.csv", "22", 50_000);
  world.broken.set(`${world.root}/x.csv`, new Error("Input/output error"));
  await world.scanNow();
  assert.deepEqual(world.take("deleted"), []);
  assert.match(world.take("unreadable")[0]!.reason, /Input\/output error; check the disk/);
});

Deno.test("a problem that goes away with its file is mended", async () => {
  using world = new ScanWorld();
  world.write("x.csv", "1");
  world.write("a/y.csv", "1");
  for (const path of ["x.csv", "a/y.csv"]) {
    world.broken.set(`${world.root}/${path}`, new Deno.errors.PermissionDenied("no"));
  }
  await world.scanNow();
  Deno.removeSync(`${world.root}/x.csv`);
  Deno.removeSync(`${world.root}/a`, { recursive: true });
  world.write("z.csv", "1");
  assert.equal((await world.scanNow()).unreadable, 0);
  assert.deepEqual(world.take("mended"), [{ folder: "", name: "x.csv" }, {
    folder: "a",
    name: "y.csv",
  }]);
});

Deno.test("a root that is gone, empty or another one deletes nothing", async (test) => {
  const moves: Record<string, (world: ScanWorld) => void> = {
    gone: (world) => Deno.renameSync(world.root, `${world.directory}/away`),
    empty: (world) => {
      Deno.renameSync(world.root, `${world.directory}/away`);
      Deno.mkdirSync(world.root);
    },
  };
  for (const [how, move] of Object.entries(moves)) {
    await test.step(how, async () => {
      using world = new ScanWorld();
      world.write("a/x.csv", "1");
      await world.scanNow();
      move(world);
      const summary = await world.scanNow();
      assert.equal(summary.problem?.kind, "root_unavailable");
      assert.match(
        summary.problem!.message,
        /^Cannot scan root in as its folder must be there: got /,
      );
      assert.deepEqual(world.stored(), ["a/x.csv"]);
      if (how === "empty") Deno.removeSync(world.root);
      Deno.renameSync(`${world.directory}/away`, world.root);
      assert.equal((await world.scanNow()).problem, null);
      assert.equal(world.hashes, 1);
    });
  }
});

Deno.test("a root that is unmounted in the middle of a pass deletes nothing", async () => {
  using world = new ScanWorld();
  world.write("a/x.csv", "1");
  world.write("b/y.csv", "1");
  world.write("z.csv", "1");
  await world.scanNow();
  world.write("z.csv", "2", 50_000);
  world.onHash = () => {
    Deno.renameSync(world.root, `${world.directory}/away`);
    Deno.mkdirSync(world.root);
  };
  assert.equal((await world.scanNow()).problem?.kind, "root_unavailable");
  assert.deepEqual(world.take("deleted"), []);
});

Deno.test("a root whose last file is deleted says what to do, and .keep does it", async () => {
  using world = new ScanWorld();
  world.write("x.csv", "1");
  await world.scanNow();
  Deno.removeSync(`${world.root}/x.csv`);
  assert.match((await world.scanNow()).problem!.message, /put a file named \.keep into it/);
  world.write(".keep", "");
  await world.scanNow();
  assert.deepEqual(world.stored(), []);
});

Deno.test("what the store refused is told again by the next pass", async () => {
  using world = new ScanWorld();
  world.write("a/x.csv", "1");
  world.write("gone/y.csv", "1");
  await world.scanNow();
  world.write("a/x.csv", "22", 50_000);
  Deno.removeSync(`${world.root}/gone`, { recursive: true });
  world.refuse = true;
  assert.ok((await world.scanNow()).refused > 0);
  world.refuse = false;
  assert.equal((await world.scanNow()).refused, 0);
  assert.deepEqual(world.storedFiles().map(({ name, size }) => [name, size]), [["x.csv", 2]]);
});

Deno.test("a hint brings a change in at once, a hint of a new folder all that is in it", async () => {
  using world = new ScanWorld();
  world.write("a/x.csv", "1");
  await world.scanNow();
  world.write("a/y.csv", "1");
  world.write("new/deep/z.csv", "1");
  world.scan.hint("a");
  world.scan.hint("new/deep"); // not known yet: found from above
  await world.pass(200);
  assert.deepEqual(world.stored(), ["a/x.csv", "a/y.csv", "new/deep/z.csv"]);
  assert.equal(world.summaries.length, 1);
});

Deno.test("a folder that a hint found is looked at again, as it may be filled unwatched", async () => {
  using world = new ScanWorld();
  await world.scanNow();
  Deno.mkdirSync(`${world.root}/new/deep`, { recursive: true });
  world.scan.hint("");
  await world.pass(200);
  world.write("new/deep/x.csv", "1");
  await world.pass(SETTLE_MS);
  assert.deepEqual(world.stored(), ["new/deep/x.csv"]);
  assert.equal(world.summaries.length, 1);
});

Deno.test("a hint of a vanished folder deletes what was in it and below", async () => {
  using world = new ScanWorld();
  world.write("a/deep/x.csv", "1");
  world.write("a2/y.csv", "1");
  await world.scanNow();
  Deno.removeSync(`${world.root}/a`, { recursive: true });
  world.scan.hint("a");
  await world.pass(200);
  assert.deepEqual(world.stored(), ["a2/y.csv"]);
});

Deno.test("a folder with a flood of hints is looked at once a settle time", async () => {
  using world = new ScanWorld();
  world.write("log.csv", "1");
  await world.scanNow();
  const hashesBefore = world.hashes;
  for (let i = 0; i < 100; i++) {
    world.write("log.csv", "x".repeat(i), 10_000 + i); // old mtimes: every look takes it
    world.scan.hint("");
    await world.pass(60);
  }
  assert.equal(world.hashes - hashesBefore, Math.ceil(100 * 60 / SETTLE_MS));
});

Deno.test("excluded folders and ignored names are not walked, even if hinted at", async () => {
  using world = new ScanWorld(["out/put"]);
  world.write("x.csv", "1");
  world.write("out/putter/z.csv", "1");
  world.write("out/put/topic/y.csv", "1");
  for (const name of [".git/y.csv", "a.tmp", "~$b.xlsx", "Thumbs.db", "c.PART"]) {
    world.write(name, "1");
  }
  await world.scanNow();
  for (const folder of [".git", "out/put", "out/put/topic"]) world.scan.hint(folder);
  await world.pass(200);
  assert.deepEqual(world.stored(), ["x.csv", "out/putter/z.csv"]);
});

Deno.test("a pass is repeated after the poll time, counted from its end", async () => {
  using world = new ScanWorld();
  await world.work();
  await world.pass(POLL_MS - 1);
  assert.equal(world.summaries.length, 1);
  await world.pass(1);
  assert.equal(world.summaries.length, 2);
});

Deno.test("forget() makes everything be compared with the store again", async () => {
  using world = new ScanWorld();
  world.write("x.csv", "1");
  await world.scanNow();
  world.scan.forget();
  await world.work();
  assert.equal(world.summaries.length, 2);
  assert.equal(world.hashes, 1);
});

Deno.test("a request during a pass gets a pass of its own", async () => {
  using world = new ScanWorld();
  world.write("x.csv", "1");
  world.onHash = () => world.scan.request(2);
  await world.scanNow();
  assert.equal(world.summaries.length, 2);
});

Deno.test("100,000 files in one folder are taken; one that changes and one that goes are noticed", async () => {
  using world = new ScanWorld([], {}, memoryFolder());
  const make =
    `mkdir all && seq 100000 199999 | split -l 1 -d -a 5 --additional-suffix=.csv - all/`;
  const { success } = await new Deno.Command("sh", { args: ["-c", make], cwd: world.root })
    .output();
  assert.ok(success);
  await world.pass(SETTLE_MS);
  assert.equal(world.hashes, 100_000);
  assert.equal(world.take("seen").length, 100_000);
  world.write("all/00007.csv", "changed");
  Deno.removeSync(`${world.root}/all/00008.csv`);
  world.scan.hint("all");
  await world.pass(2 * SETTLE_MS);
  assert.deepEqual(world.take("seen").map(({ name }) => name), ["00007.csv"]);
  assert.deepEqual(world.take("deleted").map(({ name }) => name), ["00008.csv"]);
  assert.equal(world.hashes, 100_001);
  await new Deno.Command("rm", { args: ["-rf", `${world.root}/all`] }).output(); // faster than we are
});

/** A file system in memory, if there is one: so many files take a disk half a minute. */
function memoryFolder(): string | undefined {
  try {
    return Deno.statSync("/dev/shm").isDirectory ? "/dev/shm" : undefined;
  } catch {
    return undefined;
  }
}
