import assert from "node:assert/strict";
import { JobFailure } from "./conclusions.ts";
import { isInFolders, sinkFolder } from "./sink_folders.ts";

const folders = { output: "/out", maps: { lake: "/mnt/lake" } };

Deno.test("a sink's folder is found by its name, or in the output folder", () => {
  assert.equal(sinkFolder("parquet://output/orders", folders), "/out/orders");
  assert.equal(sinkFolder("parquet://lake/a/b", folders), "/mnt/lake/a/b");
  assert.equal(sinkFolder("parquet://lake", folders), "/mnt/lake");
  assert.equal(sinkFolder("parquet://other/x", folders), "/out/other/x");
  assert.equal(sinkFolder("parquet:///out/deep/x", folders), "/out/deep/x");
  assert.equal(sinkFolder("parquet:///mnt/lake", folders), "/mnt/lake");
});

Deno.test("no URI leads out of the folders that a worker may write to", () => {
  const outside = [
    "parquet:///etc",
    "parquet:///output",
    "parquet:///out2/x",
    "parquet:///out/../etc",
    "parquet://output/../../etc",
    "parquet://../x",
    "parquet://.hidden/x",
    "parquet://constructor/\0",
    "sqlite://output/x",
    "/out/x",
    "",
  ];
  for (const uri of outside) {
    assert.throws(
      () => sinkFolder(uri, folders),
      (error) => error instanceof JobFailure && error.kind === "sink",
      uri,
    );
  }
});

Deno.test("a name that every object has is a name like any other", () => {
  assert.equal(sinkFolder("parquet://constructor/x", folders), "/out/constructor/x");
});

Deno.test("a path is inside only if it is absolute, and by whole folder names", () => {
  assert.ok(isInFolders("/out/a.parquet", folders));
  assert.ok(isInFolders("/mnt/lake/t/a.parquet", folders));
  for (const path of ["/outer/a", "out/a", "/out/../a", "/mnt/lak"]) {
    assert.ok(!isInFolders(path, folders), path);
  }
});
