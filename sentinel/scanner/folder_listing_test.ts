import assert from "node:assert/strict";
import { openDisk } from "./disk.ts";
import { type FolderListing, joinPath, listFolder } from "./folder_listing.ts";
import { nameRules, type NameRulesOptions } from "./name_rules.ts";

function withFolder(
  test: (directory: string, list: (folder?: string) => FolderListing) => void,
  options: NameRulesOptions & { trustsInodes?: boolean } = {},
): void {
  const outer = Deno.realPathSync(Deno.makeTempDirSync());
  const directory = `${outer}/root`;
  Deno.mkdirSync(directory);
  const { trustsInodes = true } = options;
  const place = { directory, realDirectory: directory, rules: nameRules(options), trustsInodes };
  try {
    test(directory, (folder = "") => listFolder(openDisk(), { ...place, folder }));
  } finally {
    Deno.removeSync(outer, { recursive: true });
  }
}

/** Makes a file whose name is no UTF-8, which Deno itself can't name. */
function writeBadName(directory: string, make: "touch" | "mkdir"): void {
  const script = `cd "$0" && ${make} "$(printf 'bad\\377.csv')"`;
  const { success } = new Deno.Command("sh", { args: ["-c", script, directory] }).outputSync();
  assert.ok(success);
}

Deno.test("files are listed with newlines in their names, folders by name, others not at all", () => {
  withFolder((directory, list) => {
    Deno.writeTextFileSync(`${directory}/a\nb.csv`, "12");
    Deno.mkdirSync(`${directory}/sub`);
    new Deno.Command("mkfifo", { args: [`${directory}/pipe`] }).outputSync();
    const { files, subfolders, problems, empty } = list();
    assert.deepEqual(files.map(({ name, size }) => [name, size]), [["a\nb.csv", 2]]);
    assert.deepEqual(subfolders, ["sub"]);
    assert.equal(problems.size, 0);
    assert.ok(!empty);
    assert.ok(list("sub").empty);
    assert.throws(() => list("nowhere"), Deno.errors.NotFound);
  });
});

Deno.test("a name that is not UTF-8 is a problem that says: rename it", () => {
  withFolder((directory, list) => {
    for (const make of ["touch", "mkdir"] as const) {
      writeBadName(directory, make);
      const { files, subfolders, problems } = list();
      assert.deepEqual([files, subfolders], [[], []]);
      assert.match(problems.get("bad\uFFFD.csv")!, /must be UTF-8: .*; rename it$/);
      Deno.removeSync(directory, { recursive: true });
      Deno.mkdirSync(directory);
    }
  });
});

Deno.test("a name that really holds U+FFFD is a name like any other", () => {
  withFolder((directory, list) => {
    Deno.writeTextFileSync(`${directory}/\uFFFD.csv`, "1");
    assert.equal(list().files.length, 1);
  });
});

Deno.test("links to files inside are followed, links to folders not, others are problems", () => {
  withFolder((directory, list) => {
    Deno.mkdirSync(`${directory}/sub`);
    Deno.writeTextFileSync(`${directory}/sub/x.csv`, "123");
    Deno.writeTextFileSync(`${directory}/../outside.csv`, "1");
    Deno.symlinkSync("sub/x.csv", `${directory}/link.csv`);
    Deno.symlinkSync("..", `${directory}/sub/up`);
    Deno.symlinkSync(".", `${directory}/circle`);
    Deno.symlinkSync("nowhere", `${directory}/broken.csv`);
    Deno.symlinkSync("../outside.csv", `${directory}/outside.csv`);
    const { files, subfolders, problems } = list();
    assert.deepEqual(files.map(({ name, size }) => [name, size]), [["link.csv", 3]]);
    assert.deepEqual(subfolders, ["sub"]);
    assert.deepEqual([...problems.keys()].sort(), ["broken.csv", "outside.csv"]);
  });
});

Deno.test("links that lead to each other lead nowhere", () => {
  withFolder((directory, list) => {
    Deno.symlinkSync("b.csv", `${directory}/a.csv`);
    Deno.symlinkSync("a.csv", `${directory}/b.csv`);
    const { files, problems } = list();
    assert.deepEqual(files, []);
    assert.deepEqual([...problems.keys()].sort(), ["a.csv", "b.csv"]);
    assert.match(problems.get("a.csv")!, /must lead to a file: got none/);
  });
});

Deno.test("hard links are files of their own", () => {
  withFolder((directory, list) => {
    Deno.writeTextFileSync(`${directory}/a.csv`, "1");
    Deno.linkSync(`${directory}/a.csv`, `${directory}/b.csv`);
    const { files: [a, b] } = list();
    assert.deepEqual([a!.name, b!.name].sort(), ["a.csv", "b.csv"]);
    assert.equal(a!.inode, b!.inode);
  });
});

Deno.test("markers are no files; each file knows whether its own is there, and newer", () => {
  withFolder((directory, list) => {
    for (const name of ["a.csv", "b.csv", "c.csv", "a.csv.done", "b.csv.done", "x.done"]) {
      Deno.writeTextFileSync(`${directory}/${name}`, "");
    }
    Deno.utimeSync(`${directory}/a.csv`, 100, 100);
    Deno.utimeSync(`${directory}/a.csv.done`, 100, 100);
    Deno.utimeSync(`${directory}/b.csv`, 101, 101);
    Deno.utimeSync(`${directory}/b.csv.done`, 100, 100);
    const markers = new Map(list().files.map(({ name, marker }) => [name, marker]));
    const expected = { "a.csv": "there", "b.csv": "stale", "c.csv": "missing" } as const;
    assert.deepEqual(markers, new Map(Object.entries(expected)));
  }, { marker: "*.done" });
});

Deno.test("a marker may be hidden, and serve its whole folder", () => {
  withFolder((directory, list) => {
    Deno.writeTextFileSync(`${directory}/a.csv`, "");
    assert.equal(list().files[0]!.marker, "missing");
    Deno.writeTextFileSync(`${directory}/._complete`, "");
    assert.equal(list().files[0]!.marker, "there");
    assert.equal(list().files.length, 1);
  }, { marker: "._complete" });
});

Deno.test("the digest changes with a name, a size, a time or a problem, and with nothing else", () => {
  withFolder((directory, list) => {
    const digests = new Set([list().digest]);
    const isNew = (change: () => void) => {
      change();
      const { digest } = list();
      assert.ok(!digests.has(digest), change.toString());
      assert.equal(list().digest, digest);
      digests.add(digest);
    };
    isNew(() => Deno.writeTextFileSync(`${directory}/x.csv`, "1"));
    isNew(() => Deno.utimeSync(`${directory}/x.csv`, 1, 1));
    isNew(() => Deno.writeTextFileSync(`${directory}/x.csv`, "22"));
    isNew(() => Deno.renameSync(`${directory}/x.csv`, `${directory}/y.csv`));
    isNew(() => replaced(`${directory}/y.csv`));
    isNew(() => Deno.symlinkSync("nowhere", `${directory}/broken`));
  });
});

Deno.test("joinPath() knows the root's own folder and the system's", () => {
  assert.equal(joinPath("/data", ""), "/data");
  assert.equal(joinPath("", "a/b"), "a/b");
  assert.equal(joinPath("/", "a"), "/a");
  assert.equal(joinPath("/data", "a"), "/data/a");
});

/** Another file takes its place, with the same size and mtime. */
function replaced(path: string): void {
  const { size, mtime } = Deno.statSync(path);
  Deno.writeTextFileSync(`${path}.new`, "x".repeat(size));
  Deno.utimeSync(`${path}.new`, mtime!, mtime!);
  Deno.renameSync(`${path}.new`, path);
}

Deno.test("where inodes are not to be believed they change nothing", () => {
  withFolder((directory, list) => {
    Deno.writeTextFileSync(`${directory}/x.csv`, "1");
    const { digest, files: [file] } = list();
    assert.equal(file!.inode, null);
    replaced(`${directory}/x.csv`);
    assert.equal(list().digest, digest);
  }, { trustsInodes: false });
});
