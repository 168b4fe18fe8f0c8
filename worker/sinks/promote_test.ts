import assert from "node:assert/strict";
import { promoteOutput, sweepOutputs } from "./promote.ts";
import type { SweepCatalog } from "./sink.ts";
import { filesIn } from "./testing.ts";

const OUTPUT = { uri: "sales/a.g2.parquet", staged: "sales/.staging/a.g2.parquet.w1.a1.staged" };
const RETIRED = "sales/a.g1.parquet";

Deno.test("promote() shows the new generation and removes the retired one", async () => {
  await using folder = await makeFolder({ [OUTPUT.staged]: "new", [RETIRED]: "old" });
  await promoteOutput(folder.path, folder.in(OUTPUT), [folder.at(RETIRED)]);
  assert.deepEqual(await folder.contents(), { [OUTPUT.uri]: "new" });
});

// Goal: a crash after any step leaves a state from which promote() comes to the same end.
Deno.test("promote() ends the same from wherever a crash left it, and when repeated", async (t) => {
  const crashes: Record<string, Record<string, string>> = {
    "before the rename": { [OUTPUT.staged]: "new", [RETIRED]: "old" },
    "after the rename": { [OUTPUT.uri]: "new", [RETIRED]: "old" },
    "after the removal": { [OUTPUT.uri]: "new" },
    "after another worker copied it": {
      [OUTPUT.uri]: "new",
      [OUTPUT.staged]: "new",
      [RETIRED]: "old",
    },
    "with nothing retired yet": { [OUTPUT.staged]: "new" },
  };
  for (const [name, files] of Object.entries(crashes)) {
    await t.step(name, async () => {
      await using folder = await makeFolder(files);
      for (let times = 0; times < 3; times++) {
        await promoteOutput(folder.path, folder.in(OUTPUT), [folder.at(RETIRED)]);
        assert.deepEqual(await folder.contents(), { [OUTPUT.uri]: "new" });
      }
    });
  }
});

Deno.test("promote() of one output by several workers at once leaves it once", async () => {
  await using folder = await makeFolder({ [OUTPUT.staged]: "new", [RETIRED]: "old" });
  const retired = [folder.at(RETIRED)];
  const all = Array.from(
    { length: 8 },
    () => promoteOutput(folder.path, folder.in(OUTPUT), retired),
  );
  await Promise.all(all);
  assert.deepEqual(await folder.contents(), { [OUTPUT.uri]: "new" });
});

Deno.test("promote() never replaces a file that has the final name", async () => {
  await using folder = await makeFolder({ [OUTPUT.staged]: "late", [OUTPUT.uri]: "first" });
  await promoteOutput(folder.path, folder.in(OUTPUT), []);
  assert.deepEqual(await folder.contents(), { [OUTPUT.uri]: "first" });
});

Deno.test("promote() never removes what it has just promoted", async () => {
  await using folder = await makeFolder({ [OUTPUT.staged]: "new" });
  await promoteOutput(folder.path, folder.in(OUTPUT), [folder.at(OUTPUT.uri)]);
  assert.deepEqual(await folder.contents(), { [OUTPUT.uri]: "new" });
});

Deno.test("promote() without staged and final file says so, and keeps the retired one", async () => {
  await using folder = await makeFolder({ [RETIRED]: "old" });
  await assert.rejects(promoteOutput(folder.path, folder.in(OUTPUT), [folder.at(RETIRED)]), {
    name: "SinkError",
    message: /^Cannot promote .*a\.g2\.parquet as its staged file must be at .*run the file again$/,
  });
  assert.deepEqual(await folder.contents(), { [RETIRED]: "old" });
});

Deno.test("promote() touches nothing if the output leaves the folder", async () => {
  await using folder = await makeFolder({ [OUTPUT.staged]: "new", [RETIRED]: "old" });
  const before = await folder.contents();
  const paths = folder.in(OUTPUT);
  for (const outside of [{ uri: "/tmp/other.parquet" }, { staged: `${folder.path}/../passwd` }]) {
    const promoting = promoteOutput(folder.path, { ...paths, ...outside }, [folder.at(RETIRED)]);
    await assert.rejects(promoting, { name: "SinkError" });
  }
  assert.deepEqual(await folder.contents(), before);
});

Deno.test("promote() leaves a retired file outside of the folder alone", async () => {
  await using elsewhere = await makeFolder({ [RETIRED]: "old" });
  await using folder = await makeFolder({ [OUTPUT.staged]: "new" });
  const winding = `${folder.path}/sales/../../${elsewhere.path.split("/").at(-1)}/${RETIRED}`;
  await promoteOutput(folder.path, folder.in(OUTPUT), [elsewhere.at(RETIRED), winding]);
  assert.deepEqual(await folder.contents(), { [OUTPUT.uri]: "new" });
  assert.deepEqual(await elsewhere.contents(), { [RETIRED]: "old" });
});

const STRAY = "sales/.staging/b.g1.parquet.w0.a1.staged";
const RUNNING = "sales/.staging/c.g1.parquet.w2.a1.staged";

Deno.test("sweep() promotes what is committed, removes what is not, keeps what is undecided", async () => {
  await using folder = await makeFolder({
    [OUTPUT.staged]: "new",
    [RETIRED]: "old",
    [STRAY]: "stray",
    [RUNNING]: "running",
    "sales/.staging/notes.txt": "not ours",
    "sales/theirs.parquet": "not ours",
  });
  const sweep = () => sweepOutputs(folder.path, catalog(folder), Date.now() + 60_000);
  assert.deepEqual(await sweep(), {
    promoted: [folder.at(OUTPUT.uri)],
    removed: [folder.at(RETIRED), folder.at(STRAY)],
    lost: [],
  });
  assert.deepEqual(await folder.contents(), {
    [OUTPUT.uri]: "new",
    [RUNNING]: "running",
    "sales/.staging/notes.txt": "not ours",
    "sales/theirs.parquet": "not ours",
  });
  assert.deepEqual(await sweep(), { promoted: [], removed: [], lost: [] });
});

Deno.test("sweep() leaves a young staged file alone, as the catalog may not know it yet", async () => {
  await using folder = await makeFolder({ [STRAY]: "just begun" });
  const writtenMs = (await Deno.stat(folder.at(STRAY))).mtime!.getTime();
  const graceMs = 1000;
  const sweepAt = (nowMs: number) =>
    sweepOutputs(folder.path, { ...catalog(folder), committed: [], graceMs }, nowMs);
  assert.deepEqual((await sweepAt(writtenMs + graceMs)).removed, []);
  assert.deepEqual((await sweepAt(writtenMs + graceMs + 1)).removed, [folder.at(STRAY)]);
});

Deno.test("sweep() reports a committed output of which nothing is left", async () => {
  await using folder = await makeFolder({});
  const { lost } = await sweepOutputs(folder.path, catalog(folder), Date.now());
  assert.deepEqual(lost, [folder.at(OUTPUT.uri)]);
});

function catalog(folder: Folder): SweepCatalog {
  return {
    directories: [folder.at("sales"), folder.at("never-written")],
    committed: [folder.in(OUTPUT)],
    retired: [folder.at(RETIRED)],
    undecided: [folder.at(RUNNING)],
    graceMs: 1000,
  };
}

interface Folder extends AsyncDisposable {
  path: string;
  at(relative: string): string;
  in(output: typeof OUTPUT): typeof OUTPUT;
  /** Every file's text, by relative path. */
  contents(): Promise<Record<string, string>>;
}

async function makeFolder(files: Record<string, string>): Promise<Folder> {
  const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "casparian-promote-" }));
  const at = (relative: string) => `${path}/${relative}`;
  await Deno.mkdir(at("sales/.staging"), { recursive: true });
  for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(at(name), text);
  return {
    path,
    at,
    in: ({ uri, staged }) => ({ uri: at(uri), staged: at(staged) }),
    contents: async () => {
      const names = await filesIn(path);
      const texts = names.map(async (name) => [name, await Deno.readTextFile(at(name))]);
      return Object.fromEntries(await Promise.all(texts));
    },
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}
