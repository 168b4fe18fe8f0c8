import assert from "node:assert/strict";
import { join } from "node:path";
import { unpackTar } from "modern-tar";
import type { BundleTree } from "./bundle_tree.ts";
import { writeBundle } from "./bundle_writer.ts";

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function treeOf(...sources: string[]): BundleTree {
  return {
    name: "b-1",
    files: [
      { path: "z/empty", executable: false, content: { text: "" } },
      ...sources.map((copyOf, at) => ({ path: `a/${at}`, executable: true, content: { copyOf } })),
    ],
    manifest: { release: "1" },
  };
}

const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).toSorted();

Deno.test("the same input gives the same bytes, whatever its files' times, modes and order", () =>
  inFolder(async (folder) => {
    const [one, two] = [join(folder, "one"), join(folder, "two")];
    await Deno.writeTextFile(one, "same", { mode: 0o600 });
    await Deno.writeTextFile(two, "same", { mode: 0o755 });
    await Deno.utime(two, 1, 1);
    const tree = treeOf(one, two);
    const first = await writeBundle(tree, join(folder, "to"));
    const again = { ...treeOf(two, one), files: treeOf(two, one).files.toReversed() };
    const second = await writeBundle(again, join(folder, "elsewhere"));
    assert.equal(first.archiveHash, second.archiveHash);
    assert.deepEqual(names(join(folder, "to")), ["b-1", "b-1.tar.gz", "b-1.tar.gz.sha256"]);
  }));

Deno.test("sums tell of every file, and the archive holds what the folder does", () =>
  inFolder(async (folder) => {
    const source = join(folder, "source");
    await Deno.writeTextFile(source, "text");
    const { archive, files } = await writeBundle(treeOf(source), folder);
    for (const cwd of [folder, join(folder, "b-1")]) {
      const sums = cwd === folder ? "b-1.tar.gz.sha256" : "SHA256SUMS";
      const checked = await new Deno.Command("sha256sum", { args: ["-c", sums], cwd }).output();
      assert.ok(checked.success, new TextDecoder().decode(checked.stdout));
    }
    const stream = (await Deno.open(archive)).readable.pipeThrough(new DecompressionStream("gzip"));
    const entries = await unpackTar(stream);
    assert.deepEqual(entries.map(({ header }) => [header.name, header.mode]), [
      ["b-1/SHA256SUMS", 0o644],
      ["b-1/a/0", 0o755],
      ["b-1/manifest.json", 0o644],
      ["b-1/z/empty", 0o644],
    ]);
    assert.equal(entries.length, files);
    assert.deepEqual(
      new Set(entries.map(({ header }) => header.mtime!.getUTCFullYear())),
      new Set([2000]),
    );
    for (const { header, data } of entries) {
      assert.deepEqual(data ?? new Uint8Array(), await Deno.readFile(join(folder, header.name)));
    }
  }));

Deno.test("a bundle that cannot be made leaves the one before it, and nothing half-written", () =>
  inFolder(async (folder) => {
    const source = join(folder, "source");
    await Deno.writeTextFile(source, "text");
    const { archiveHash } = await writeBundle(treeOf(source), folder);
    const before = names(folder);
    await assert.rejects(
      writeBundle(treeOf(source, join(folder, "gone")), folder),
      Deno.errors.NotFound,
    );
    assert.deepEqual(names(folder), before);
    assert.equal((await writeBundle(treeOf(source), folder)).archiveHash, archiveHash);
  }));
