/** A DISPATCH that can't be run, or leads elsewhere: each ends with a reason, by a real worker. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { encodeJson } from "../protocol/codec.ts";
import type { MessageBody } from "../protocol/messages.ts";
import { COUNT_ROWS, RealWorker, withRoot } from "../tests/real_worker.ts";

type Wrong = Partial<MessageBody<"dispatch">>;

const sinks = (uri: string, topic = "t") => [{ topic, uri, mode: "replace" as const }];

/** What is wrong, of what kind the failure is, and what its text says. */
const WRONG: Record<string, (worker: RealWorker) => [Wrong, string, RegExp]> = {
  "a plugin without code": () => [{ source_code: "" }, "plugin", /must define a class Handler/],
  "code that is none": () => [{ source_code: "\0(" }, "plugin", /Error/],
  "a file that is gone": ({ root }) => [{ file_path: `${root}/no` }, "file_changed", /vanished/],
  "a folder for a file": ({ root }) => [{ file_path: root }, "plugin", /no regular file/],
  "a file by a relative path": () => [{ file_path: "../esc" }, "plugin", /must be absolute/],
  "a file by a path that climbs": ({ root }) => [
    { file_path: `${root}/out/../a.csv` },
    "plugin",
    /without "\.\."/,
  ],
  "a file beside its data root": (
    { root },
  ) => [{ data_roots: [`${root}/out`] }, "plugin", /lie in/],
  "a data root that is gone": ({ root }) => [
    { file_path: `${root}/a.csv`, data_roots: [root, `${root}/no`] },
    "environment",
    /No such file|not found/i,
  ],
  "an environment that nobody made":
    () => [{ env_hash: "e".repeat(64) }, "environment", /PREPARE_ENV/],
  "a topic that climbs":
    () => [{ sinks: sinks("parquet://output/t", "../esc") }, "sink", /"\.\.\/esc"/],
  "an output that climbs": () => [{ sinks: sinks("parquet://output/../esc") }, "sink", /"\.\."/],
  "an output by a name that climbs": () => [{ sinks: sinks("parquet://../esc") }, "sink", /name/],
  "an output elsewhere": ({ root }) => [{ sinks: sinks(`parquet://${root}/esc`) }, "sink", /--map/],
  "an output in a folder of ours":
    () => [{ sinks: sinks("parquet://output/.staging") }, "sink", /dot/],
  "an output of another kind": () => [{ sinks: sinks("file:///tmp/esc") }, "sink", /parquet/],
  "a size that the file has not": () => [{ size: 1 }, "file_changed", /size/],
  "no topic at all": () => [{ sinks: [] }, "plugin", /topic/],
};

/** Payloads that are no DISPATCH: as a peer might send that has a mistake. */
const BROKEN: Record<string, string> = {
  "no field at all": "{}",
  "no JSON": "{",
  "no file": JSON.stringify({
    plugin_name: "p",
    sinks: [],
    file_version_id: 1,
    env_hash: "system",
  }),
  "a number for a name": JSON.stringify({ plugin_name: 5 }),
};

async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (path.endsWith("/state")) continue;
    if (isDirectory) found.push(...await filesBelow(path));
    else found.push(path);
  }
  return found.sort();
}

Deno.test("a DISPATCH that can not be run ends with its reason, and writes nowhere", async (t) => {
  await withRoot(async (root) => {
    await using worker = await RealWorker.start(root);
    await worker.sentinel.next("heartbeat");
    const before = await filesBelow(root);
    let jobId = 0;
    for (const [what, wrong] of Object.entries(WRONG)) {
      await t.step(what, async () => {
        const [more, kind, says] = wrong(worker);
        worker.dispatch(++jobId, COUNT_ROWS, more);
        const { status, error_kind, error_message } = await worker.concluded(jobId);
        assert.deepEqual([status, error_kind], ["FAILED", kind], error_message);
        assert.match(error_message ?? "", says);
      });
    }
    for (const [what, json] of Object.entries(BROKEN)) {
      await t.step(what, async () => {
        worker.sentinel.sendFrames(encodeJson("dispatch", ++jobId, json));
        const { status, error_kind, error_message } = await worker.concluded(jobId);
        assert.deepEqual([status, error_kind], ["FAILED", "environment"]);
        assert.match(error_message ?? "", /DISPATCH can not be used: Cannot decode/);
      });
    }
    assert.deepEqual((await filesBelow(root)).filter((path) => !before.includes(path)), []);
  });
});

Deno.test("names that climb end up in a file's name, never in a path", async () => {
  await withRoot(async (root) => {
    await using worker = await RealWorker.start(root);
    await worker.sentinel.next("heartbeat");
    const odd = join(root, "..%2f..\\..esc\n.csv");
    await Deno.writeTextFile(odd, "x\n");
    worker.dispatch(1, COUNT_ROWS, { plugin_name: "../../esc", file_path: odd });
    const { status, error_message, outputs } = await worker.concluded(1);
    assert.equal(status, "SUCCESS", error_message);
    const { uri, staged } = outputs![0]!;
    assert.match(uri, new RegExp(`^${root}/out/t/[A-Za-z0-9._-]+\\.g1\\.parquet$`));
    assert.match(staged, new RegExp(`^${root}/out/t/\\.staging/[A-Za-z0-9._-]+\\.staged$`));
  });
});
