import assert from "node:assert/strict";
import type { JobRun } from "./job_runner.ts";
import {
  batch,
  FakeSinks,
  type Script,
  type Setting,
  stagedOutput,
  topic,
  withStage,
} from "./job_testing.ts";
import { PluginDied, PluginError, TemplateError } from "./plugin_run.ts";
import { hashText } from "./source_file.ts";

Deno.test("a job stages each topic's output and concludes with what was written", async () => {
  const script: Script = async function* () {
    yield { type: "log", level: 0, text: "hello" };
    yield batch();
    yield topic("b");
    yield batch();
    yield batch();
    yield { type: "progress", json: { rows: 14, rss_kib: 100 } };
    yield { type: "end" };
  };
  await withStage({ script }, async (stage) => {
    const receipt = await stage.run.run();
    const { body } = receipt;
    assert.equal(body.status, "SUCCESS");
    assert.deepEqual(body.artifacts, [{ topic: "a", uri: "/out/a" }, {
      topic: "b",
      uri: "/out/b",
    }]);
    assert.deepEqual(receipt.staged, [stagedOutput("a"), stagedOutput("b")]);
    assert.deepEqual([body.attempt, body.outputs?.[0]?.generation], [2, 4]);
    const { rows, bytes, batches, rss_kib } = body.metrics;
    assert.deepEqual([rows, bytes, batches, rss_kib], [14, 18, 3, 100]);
    assert.deepEqual(stage.sent, ["hello"]);
    assert.equal(stage.ran, 1);
    assert.deepEqual(stage.run.progress, { job_id: 5, rows: 14, bytes: 9 });
    const [a, b] = stage.sinks.specs;
    assert.deepEqual([a?.keyedBySource, b?.keyedBySource], [false, true]);
    assert.deepEqual([a?.directory, a?.fileName], ["/out/a", "a.csv"]);
    assert.equal(a?.fileId, hashText(stage.file));
    assert.equal(a?.sourceHash, hashText("x\n1\n"));
  });
});

Deno.test("a plugin that yields nothing succeeds without any output", async () => {
  const script: Script = async function* () {
    yield await Promise.resolve({ type: "end" });
  };
  await withStage({ script }, async (stage) => {
    const body = await stage.conclude();
    assert.deepEqual([body.status, body.outputs, body.metrics.rows], ["SUCCESS", [], 0]);
  });
});

/** What may go wrong while the plugin runs, and how it is reported. */
const FAILURES: { what: string; error: Error; kind: string; says: RegExp; retryable: boolean }[] = [
  {
    what: "a plugin that raises",
    error: new PluginError(`Traceback:\n  File "p.py", line 3\nValueError: bad`),
    kind: "plugin",
    says: /p\.py", line 3/,
    retryable: true,
  },
  {
    what: "a plugin without memory",
    error: new PluginError("Traceback:\n  …\nMemoryError"),
    kind: "memory",
    says: /MemoryError/,
    retryable: true,
  },
  {
    what: "a process that exits early",
    error: new PluginDied("The plugin's process ended with exit code 0", {
      code: 0,
      signal: null,
      rssPeakKib: 1,
      output: "",
      rows: 0,
      results: 0,
    }),
    kind: "plugin",
    says: /exit code 0/,
    retryable: true,
  },
  {
    what: "a process killed by the kernel",
    error: new PluginDied("by signal 9", {
      code: null,
      signal: 9,
      rssPeakKib: 1,
      output: "",
      rows: 0,
      results: 0,
    }),
    kind: "memory",
    says: /signal 9/,
    retryable: true,
  },
  {
    what: "a process over its memory limit",
    error: new PluginDied(
      "by signal 9",
      {
        code: null,
        signal: 9,
        rssPeakKib: 1,
        output: "",
        rows: 90,
        results: 16,
        overMemoryBytes: 1.2 * 1024 ** 3,
      },
      1024 ** 3,
    ),
    kind: "memory",
    says: /^killed: 1\.2 GiB over the 1 GiB limit in batch 17: raise memory_mb/,
    retryable: true,
  },
  {
    what: "C++ that gets no memory",
    error: new PluginDied("by signal 6", {
      code: null,
      signal: 6,
      rssPeakKib: 1,
      output: "terminate called after throwing an instance of 'std::bad_alloc'",
      rows: 0,
      results: 0,
    }),
    kind: "memory",
    says: /signal 6/,
    retryable: true,
  },
  {
    what: "a template that does not start",
    error: new TemplateError("Cannot start Python"),
    kind: "environment",
    says: /Cannot start/,
    retryable: true,
  },
];

for (const { what, error, kind, says, retryable } of FAILURES) {
  Deno.test(`${what} fails the job, and nothing stays staged`, async () => {
    const script: Script = async function* () {
      yield batch();
      throw await Promise.resolve(error);
    };
    await withStage({ script }, async (stage) => {
      const body = await stage.conclude();
      assert.deepEqual([body.status, body.error_kind, body.retryable], ["FAILED", kind, retryable]);
      assert.match(body.error_message ?? "", says);
      assert.deepEqual(stage.sinks.events, ["write a", "abort a"]);
      assert.equal(body.outputs, undefined);
    });
  });
}

Deno.test("an unknown topic fails the job, names those that are known, and ends the process", async () => {
  const script: Script = async function* () {
    yield await Promise.resolve(topic("zzz"));
    yield batch();
  };
  await withStage({ script }, async (stage) => {
    const body = await stage.conclude();
    assert.equal(body.error_kind, "plugin");
    assert.match(body.error_message ?? "", /'zzz', which is not in its MANIFEST.*'a', 'b'/);
    assert.deepEqual(stage.plugins.ended, ["kill"]);
  });
});

for (const step of ["write", "finish"]) {
  Deno.test(`a sink that fails to ${step} fails the job, and the other output goes too`, async () => {
    const sinks = new FakeSinks((failing, topic) => failing === step && topic === "b");
    const script: Script = async function* () {
      yield batch();
      yield topic("b");
      yield batch();
      yield { type: "end" };
    };
    await withStage({ script, sinks }, async (stage) => {
      const body = await stage.conclude();
      assert.deepEqual([body.status, body.error_kind, body.retryable], ["FAILED", "sink", true]);
      assert.match(body.error_message ?? "", /No space/);
      assert.ok(sinks.events.includes(step === "write" ? "abort a" : "discard a"));
    });
  });
}

Deno.test("a file of another size or time than seen is not run at all", async () => {
  const script: Script = async function* () {
    yield await Promise.resolve(batch());
  };
  for (const body of [{ size: 99 }, { mtime_ms: 1 }]) {
    await withStage({ script, body }, async (stage) => {
      const { error_kind, retryable } = await stage.conclude();
      assert.deepEqual([error_kind, retryable], ["file_changed", true]);
      assert.equal(stage.plugins.jobs.length, 0);
    });
  }
});

Deno.test("a file that changes while the plugin reads it discards the output", async () => {
  let file = "";
  const script: Script = async function* () {
    yield batch();
    await Deno.writeTextFile(file, "x\n1\n2\n");
    yield { type: "end" };
  };
  await withStage({ script }, async (stage) => {
    file = stage.file;
    const body = await stage.conclude();
    assert.deepEqual([body.status, body.error_kind], ["FAILED", "file_changed"]);
    assert.deepEqual(stage.sinks.events, ["write a", "abort a"]);
  });
});

Deno.test("a file that vanishes is reported as such, also when the plugin stumbles over it", async () => {
  for (const raises of [false, true]) {
    let file = "";
    const script: Script = async function* () {
      yield batch();
      await Deno.remove(file);
      if (raises) throw new PluginError("FileNotFoundError");
      yield { type: "end" };
    };
    await withStage({ script, body: { size: 4 } }, async (stage) => {
      file = stage.file;
      const body = await stage.conclude();
      assert.equal(body.error_kind, "file_changed");
      assert.match(body.error_message ?? "", /The file vanished/);
    });
  }
});

const oneBatch: Script = async function* () {
  yield batch();
  yield await Promise.resolve({ type: "end" });
};

Deno.test("a host without the file's root says so, and how to give it one", async () => {
  const root = { name: "in", directory: "/no/such/mount" };
  const body = { file_path: "/no/such/mount/a.csv", root };
  await withStage({ script: oneBatch, body }, async (stage) => {
    const { error_kind, error_message, retryable } = await stage.conclude();
    assert.deepEqual([error_kind, retryable], ["file_changed", true]);
    assert.match(error_message ?? "", /root 'in' .*\/no\/such\/mount is not there.*--map in=DIR/);
  });
});

Deno.test("an output in a mapped folder is told by the folder's name", async () => {
  const setting = { script: oneBatch, maps: { lake: "/out" } };
  await withStage(setting, async (stage) => {
    const { outputs, artifacts } = await stage.conclude();
    assert.deepEqual(outputs?.map(({ uri, staged }) => [uri, staged]), [
      ["parquet://lake/a", "/s/a"],
    ]);
    assert.equal(artifacts[0]?.uri, "parquet://lake/a");
  });
});

Deno.test("a folder in place of the file is an error of its own", async () => {
  const script: Script = async function* () {};
  await withStage({ script, body: { file_path: Deno.cwd() } }, async (stage) => {
    const body = await stage.conclude();
    assert.match(body.error_message ?? "", /no regular file/);
  });
});

Deno.test("a job whose environment is not ready says who must act", async () => {
  const script: Script = async function* () {};
  await withStage({ script, body: { env_hash: "other" } }, async (stage) => {
    const body = await stage.conclude();
    assert.deepEqual([body.error_kind, body.retryable], ["environment", true]);
    assert.match(body.error_message ?? "", /other is not ready here/);
  });
});

Deno.test("a job may not write outside of this worker's folders", async () => {
  const script: Script = async function* () {};
  for (const uri of ["parquet:///etc/x", "parquet://output/../x", "sqlite://output/x"]) {
    const sinks = [{ topic: "a", uri, mode: "replace" as const }];
    await withStage({ script, body: { sinks } }, async (stage) => {
      const body = await stage.conclude();
      assert.equal(body.error_kind, "sink", uri);
      assert.equal(stage.plugins.jobs.length, 0);
    });
  }
});

/** Yields once, then waits to be ended. */
const endless: Script = async function* (_job, died) {
  yield batch();
  await died;
};

Deno.test("an aborted job may tidy up and concludes ABORTED; a drained one says that it may run again", async () => {
  for (const [cause, retryable] of [["aborted", false], ["drained", true]] as const) {
    await withStage({ script: endless }, async (stage) => {
      const body = stage.conclude();
      while (stage.sinks.events.length === 0) await new Promise((done) => setTimeout(done, 1));
      stage.run.kill(cause);
      const { status, error_kind, retryable: again, error_message } = await body;
      assert.deepEqual([status, error_kind, again], ["ABORTED", "aborted", retryable]);
      assert.match(error_message ?? "", /^cancelled by the .* \(in batch 1, no rows so far\)$/);
      assert.equal(stage.plugins.ended[0], "cancel");
      assert.deepEqual(stage.sinks.events, ["write a", "abort a"]);
    });
  }
});

Deno.test("a job killed before it began never starts", async () => {
  await withStage({ script: endless }, async (stage) => {
    stage.run.kill("aborted");
    assert.equal((await stage.conclude()).status, "ABORTED");
    assert.equal(stage.plugins.jobs.length, 0);
  });
});

Deno.test("a job killed while its output is finished leaves nothing staged", async () => {
  const script: Script = async function* () {
    yield batch();
    yield { type: "end" };
  };
  const setting: Setting = { script, onRan: () => stageOf.kill("aborted") };
  let stageOf: JobRun;
  await withStage(setting, async (stage) => {
    stageOf = stage.run;
    assert.equal((await stage.conclude()).status, "ABORTED");
    assert.equal(stage.sinks.events.at(-1), "abort a");
    assert.ok(stage.sinks.events.includes("discard a"));
  });
});

Deno.test("a plugin that runs too long is ended, and the receipt says where it was", async () => {
  const script: Script = async function* (_job, died) {
    yield batch();
    yield { type: "progress", json: { rows: 12400, batches: 2 } };
    await died;
  };
  await withStage({ script, body: { timeout_ms: 20 } }, async (stage) => {
    const body = await stage.conclude();
    assert.deepEqual([body.status, body.error_kind], ["FAILED", "timeout"]);
    assert.match(
      body.error_message ?? "",
      /^killed: ran longer than 20 ms \(in batch 3, 12,400 rows so far\): raise timeout_s/,
    );
    assert.equal(stage.plugins.ended[0], "cancel");
  });
});

Deno.test("the time limit begins with the plugin, not with the start of Python", async () => {
  const started = Promise.withResolvers<void>();
  let endedBefore = Infinity;
  let plugins: { ended: string[] } | undefined;
  const script: Script = async function* (_job, died) {
    // Longer than the limit; a timer set before this one would have fired.
    await new Promise((done) => setTimeout(done, 60));
    endedBefore = plugins!.ended.length;
    started.resolve();
    yield batch();
    await died;
  };
  await withStage({ script, started: started.promise, body: { timeout_ms: 30 } }, async (stage) => {
    plugins = stage.plugins;
    const body = await stage.conclude();
    assert.equal(endedBefore, 0);
    assert.equal(body.error_kind, "timeout");
    assert.deepEqual(stage.sinks.events, ["write a", "abort a"]);
  });
});

Deno.test("a death for want of memory tells the limit that it had, for one that wants to try more", async () => {
  const script: Script = async function* () {
    yield batch();
    throw await Promise.resolve(new PluginError("MemoryError\n…"));
  };
  for (const [limits, bytes] of [[undefined, 1 << 30], [{ memory_bytes: 1000 }, 1000]] as const) {
    await withStage({ script, body: { limits } }, async (stage) => {
      assert.deepEqual((await stage.conclude()).metrics, { memory_limit_bytes: bytes });
      assert.equal(stage.plugins.jobs[0]?.memoryBytes, bytes);
    });
  }
});

Deno.test("an error of any length fits a receipt, with its beginning and its end", async () => {
  const script: Script = async function* () {
    yield batch();
    throw await Promise.resolve(new PluginError(`first\n${"x".repeat(1_000_000)}\nlast`));
  };
  await withStage({ script }, async (stage) => {
    const { error_message: message = "" } = await stage.conclude();
    assert.ok(message.length < 70_000);
    assert.match(message, /^first\n/);
    assert.match(message, /\nlast$/);
  });
});
