import assert from "node:assert/strict";
import type { MessageOf } from "../protocol/messages.ts";
import { onThisHost } from "./source_roots.ts";

const dispatch = (directory: string, file_path: string): MessageOf<"dispatch"> => ({
  name: "dispatch",
  jobId: 1,
  body: {
    plugin_name: "p",
    file_path,
    sinks: [],
    file_version_id: 1,
    env_hash: "system",
    source_code: "",
    data_roots: [directory, "/mnt/other"],
    root: { name: "in", directory },
  },
});

function placesOf(message: ReturnType<typeof onThisHost>): (string | undefined)[] {
  assert.equal(message.name, "dispatch");
  const { file_path, data_roots, root } = (message as MessageOf<"dispatch">).body;
  return [file_path, ...data_roots ?? [], root?.directory];
}

Deno.test("a root that is mapped has its file, and what plugins may read, where it is on this host", () => {
  const here = onThisHost(dispatch("/mnt/in", "/mnt/in/a b/c.csv"), { in: "/data" });
  assert.deepEqual(placesOf(here), ["/data/a b/c.csv", "/data", "/mnt/other", "/data"]);
});

Deno.test("a root that is the root of a file system can be mapped, to and from", () => {
  const from = onThisHost(dispatch("/", "/a/b"), { in: "/data" });
  assert.deepEqual(placesOf(from), ["/data/a/b", "/data", "/data/mnt/other", "/data"]);
  const to = onThisHost(dispatch("/mnt/in", "/mnt/in/a"), { in: "/" });
  assert.deepEqual(placesOf(to), ["/a", "/", "/mnt/other", "/"]);
});

Deno.test("a file is only moved by its own root, and by whole folder names", () => {
  for (const maps of [{}, { other: "/data" }] as Record<string, string>[]) {
    assert.deepEqual(placesOf(onThisHost(dispatch("/mnt/in", "/mnt/in/a"), maps)), [
      ...["/mnt/in/a", "/mnt/in", "/mnt/other", "/mnt/in"],
    ]);
  }
  const outside = onThisHost(dispatch("/mnt/in", "/mnt/in2/a"), { in: "/data" });
  assert.equal(placesOf(outside)[0], "/mnt/in2/a");
});

Deno.test("a name that every object has is a name like any other", () => {
  const message = dispatch("/mnt/in", "/mnt/in/a");
  message.body.root!.name = "constructor";
  assert.equal(placesOf(onThisHost(message, {}))[0], "/mnt/in/a");
});

Deno.test("what names no file is left as it is", () => {
  const plain = { ...dispatch("/mnt/in", "/mnt/in/a") };
  const { root: _, ...body } = plain.body;
  assert.deepEqual(onThisHost({ ...plain, body }, { in: "/data" }).body, body);
  const abort = { name: "abort", jobId: 1, body: {} } as const;
  assert.equal(onThisHost(abort, { in: "/data" }), abort);
});
