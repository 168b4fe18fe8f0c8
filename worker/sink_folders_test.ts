import assert from "node:assert/strict";
import { JobFailure } from "./conclusions.ts";
import { isInFolders, outputAddress, outputPath, sinkFolder } from "./sink_folders.ts";

const folders = { output: "/out", maps: { lake: "/mnt/lake" } };

Deno.test("a folder that begins with a dot is refused, but not one that the output lies in", () => {
  const folders = { output: "/home/me/.casparian/output", maps: { lake: "/mnt/lake" } };
  assert.equal(sinkFolder("parquet://output/t", folders), "/home/me/.casparian/output/t");
  assert.equal(sinkFolder("parquet:///mnt/lake/a.b/t", folders), "/mnt/lake/a.b/t");
  for (
    const uri of ["parquet://output/.staging", "parquet://lake/a/.workers/t"]
  ) {
    assert.throws(() => sinkFolder(uri, folders), /begin with a dot/, uri);
  }
});

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

Deno.test("an output in a mapped folder has the same address on every host, wherever that is mounted", () => {
  const there = { output: "/o", maps: { lake: "/srv/share/tables" } };
  const address = outputAddress("/mnt/lake/orders/a.g1.parquet", folders);
  assert.equal(address, "parquet://lake/orders/a.g1.parquet");
  assert.equal(outputPath(address, there), "/srv/share/tables/orders/a.g1.parquet");
  assert.equal(outputAddress(outputPath(address, there)!, there), address);
});

Deno.test("an output in the folder of --output has its path for an address", () => {
  assert.equal(outputAddress("/out/orders/a.parquet", folders), "/out/orders/a.parquet");
  assert.equal(outputPath("/out/orders/a.parquet", folders), "/out/orders/a.parquet");
  const mapped = { output: "/out", maps: { output: "/out" } };
  assert.equal(outputAddress("/out/t/a.parquet", mapped), "parquet://output/t/a.parquet");
});

Deno.test("of nested mapped folders the deepest names an output", () => {
  const nested = {
    output: "/out",
    maps: { all: "/mnt", lake: "/mnt/lake", "no name": "/mnt/lake/x" },
  };
  assert.equal(outputAddress("/mnt/lake/x/a.parquet", nested), "parquet://lake/x/a.parquet");
  assert.equal(outputAddress("/mnt/b.parquet", nested), "parquet://all/b.parquet");
});

Deno.test("an address in none of this host's folders is nowhere, and none leads out of them", () => {
  for (
    const address of [
      ...[
        "/elsewhere/a.parquet",
        "/out/../etc/passwd",
        "s3://lake/a",
        "parquet://lake/../../etc/a",
      ],
      ...["", "relative/a.parquet"],
    ]
  ) {
    assert.equal(outputPath(address, folders), null, address);
  }
});
