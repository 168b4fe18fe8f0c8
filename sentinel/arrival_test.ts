/** From files on the disk, some of them written by other processes, to jobs and rows in the store. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { ArrivalSite, PATIENCE_MS } from "./testing.ts";

function sha256(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Another process that appends to a file when it is told to. */
class Writer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #acks: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;

  constructor(path: string) {
    // Each line is a number of bytes that follow; dd is there wherever sh is.
    const script = `while read n; do dd bs=1 count="$n" 2>/dev/null >> "$0"; echo; done`;
    this.#child = new Deno.Command("sh", {
      args: ["-c", script, path],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#acks = this.#child.stdout.getReader();
  }

  /** Resolves when the bytes are in the file, which stays open no longer than that. */
  async append(bytes: Uint8Array): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${bytes.length}\n`));
    await this.#input.write(Uint8Array.from(bytes));
    await this.#acks.read();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#acks.cancel();
    await this.#child.status;
  }
}

Deno.test("the same path with the same content is no work, however often it is touched", async () => {
  await using site = await ArrivalSite.open();
  site.write("a/x.csv", "1");
  await site.settle();
  assert.deepEqual(await site.work(), ["a/x.csv"]);
  site.write("a/x.csv", "1");
  await site.settle();
  Deno.chmodSync(`${site.root}/a/x.csv`, 0o600);
  await site.settle();
  await site.scanner.stop();
  site.scanner.start();
  await site.settle();
  assert.deepEqual(await site.work(), []);
  assert.deepEqual(site.jobs(), { COMPLETED: 1 });
});

Deno.test("a change swaps a file's rows, and a change back swaps them back", async () => {
  await using site = await ArrivalSite.open();
  for (const content of ["A", "B", "A"]) {
    site.write("x.csv", content);
    await site.settle();
    assert.deepEqual(await site.work(), ["x.csv"]);
    assert.deepEqual(site.tables(), { "x.csv": sha256(content) });
  }
  assert.deepEqual(site.versions("x.csv"), ["A", "B", "A"].map(sha256));
});

Deno.test("a rename is a delete, whose rows stay, and a new file; a copy is a file of its own", async () => {
  await using site = await ArrivalSite.open();
  site.write("x.csv", "1");
  await site.settle();
  await site.work();
  Deno.renameSync(`${site.root}/x.csv`, `${site.root}/y.csv`);
  await site.settle();
  assert.deepEqual(await site.work(), ["y.csv"]);
  Deno.copyFileSync(`${site.root}/y.csv`, `${site.root}/z.csv`);
  await site.settle();
  assert.deepEqual(await site.work(), ["z.csv"]);
  const hash = sha256("1");
  assert.deepEqual(site.tables(), { "x.csv": hash, "y.csv": hash, "z.csv": hash });
  const deleted = Object.entries(site.files()).filter(([, file]) => file.deleted);
  assert.deepEqual(deleted.map(([path]) => path), ["x.csv"]);
});

Deno.test("a file that is deleted and comes back as it was is no work, as another it is", async () => {
  await using site = await ArrivalSite.open();
  site.write("keep.csv", "1");
  site.write("x.csv", "1");
  await site.settle();
  await site.work();
  for (const [content, work] of [["1", []], ["2", ["x.csv"]]] as const) {
    Deno.removeSync(`${site.root}/x.csv`);
    await site.settle();
    assert.ok(site.files()["x.csv"]!.deleted);
    site.write("x.csv", content);
    await site.settle();
    assert.ok(!site.files()["x.csv"]!.deleted);
    assert.deepEqual(await site.work(), work);
  }
  assert.equal(site.tables()["x.csv"], sha256("2"));
});

Deno.test("a job that waited is dropped with its file, and is back with it", async () => {
  await using site = await ArrivalSite.open();
  site.write("keep.csv", "1");
  site.write("x.csv", "1");
  await site.settle();
  Deno.removeSync(`${site.root}/x.csv`);
  await site.settle();
  assert.deepEqual(await site.work(), ["keep.csv"]);
  site.write("x.csv", "1");
  await site.settle();
  assert.deepEqual(await site.work(), ["x.csv"]);
});

Deno.test("a file that another process writes with long pauses is taken once, whole", async () => {
  await using site = await ArrivalSite.open({ patienceMs: 60_000 });
  const whole = gzipSync("row\n".repeat(10_000));
  const half = whole.length >> 1;
  {
    await using writer = new Writer(`${site.root}/x.csv.gz`);
    await writer.append(whole.subarray(0, half));
    await site.until("it is arriving", () => site.files()["x.csv.gz"]?.arriving);
    assert.match(site.files()["x.csv.gz"]!.arriving!, /^its gzip trailer is not there yet/);
    assert.deepEqual(await site.work(), []);
    await writer.append(whole.subarray(half));
    await site.until("it is taken", () => site.versions("x.csv.gz").length > 0);
  }
  await site.settle();
  assert.deepEqual(site.versions("x.csv.gz"), [sha256(whole)]);
  assert.deepEqual(site.files()["x.csv.gz"], { deleted: false, arriving: null, note: null });
  assert.deepEqual(await site.work(), ["x.csv.gz"]);
});

Deno.test("a file that its writer never ends is taken as it is, and nobody waits for ever", async () => {
  await using site = await ArrivalSite.open();
  await using writer = new Writer(`${site.root}/x.json`);
  await writer.append(new TextEncoder().encode('[{"a": 1}, {"b":'));
  const startedMs = performance.now();
  await site.settle();
  assert.ok(performance.now() - startedMs >= PATIENCE_MS * 0.9);
  assert.deepEqual(await site.work(), ["x.json"]);
  assert.match(
    site.files()["x.json"]!.note!,
    /^Taken although its closing JSON bracket was not there/,
  );
});

Deno.test("a file that only its marker completes is no work before, and at once after", async () => {
  await using site = await ArrivalSite.open({ marker: "*.done" });
  {
    await using writer = new Writer(`${site.root}/x.csv`);
    await writer.append(new TextEncoder().encode("a,b\n"));
    await site.settle(); // which ends although the marker never came
    assert.deepEqual(await site.work(), []);
    assert.equal(site.files()["x.csv"]!.arriving, "its marker x.csv.done is not there yet");
    await writer.append(new TextEncoder().encode("1,2\n"));
  }
  site.write("x.csv.done", "");
  await site.settle();
  assert.deepEqual(await site.work(), ["x.csv"]);
  assert.deepEqual(site.tables(), { "x.csv": sha256("a,b\n1,2\n") });
  assert.deepEqual(Object.keys(site.files()), ["x.csv"]);
});

Deno.test("rules may change while files arrive: none is lost, none runs twice", async () => {
  await using site = await ArrivalSite.open({ marker: "*.done", patienceMs: 60_000 });
  site.write("a.csv", "1");
  site.write("b.csv", "1");
  site.write("b.csv.done", "");
  site.write("c.bak", "1");
  site.write("c.bak.done", "");
  await site.until("two are taken", () => (site.jobs().QUEUED ?? 0) === 2);
  assert.deepEqual((await site.work()).sort(), ["b.csv", "c.bak"]);
  await site.setRules({ ignore: ["*.bak", "*.done"] }); // and no marker any more
  await site.settle();
  assert.deepEqual(await site.work(), ["a.csv"]);
  const note = "It no longer counts by the rules of its root";
  assert.deepEqual(site.files()["c.bak"], { deleted: true, arriving: null, note });
  await site.setRules({ ignore: ["*.done"], settleMs: 1 });
  await site.settle();
  assert.deepEqual(await site.work(), []);
  assert.deepEqual(Object.keys(site.tables()).sort(), ["a.csv", "b.csv", "c.bak"]);
  assert.ok(Object.values(site.files()).every(({ deleted, arriving }) => !deleted && !arriving));
});

Deno.test("a root that is unmounted loses no file, and one that is back no time", async () => {
  await using site = await ArrivalSite.open();
  site.write("a/x.csv", "1");
  await site.settle();
  await site.work();
  Deno.renameSync(site.root, `${site.directory}/away`);
  Deno.mkdirSync(site.root);
  const [summary] = await site.scanner.scanNow();
  assert.equal(summary!.problem?.kind, "root_unavailable");
  assert.ok(!site.files()["a/x.csv"]!.deleted);
  Deno.removeSync(site.root);
  Deno.renameSync(`${site.directory}/away`, site.root);
  site.write("a/y.csv", "2");
  await site.settle();
  assert.deepEqual(await site.work(), ["a/y.csv"]);
});

Deno.test("names with newlines are files, names that are no UTF-8 are told", async () => {
  await using site = await ArrivalSite.open();
  site.write("two\nlines.csv", "1");
  const script = `cd "$0" && touch "$(printf 'bad\\377.csv')"`;
  await new Deno.Command("sh", { args: ["-c", script, site.root] }).output();
  await site.settle();
  assert.deepEqual(await site.work(), ["two\nlines.csv"]);
  assert.equal(site.summaries.at(-1)!.unreadable, 1);
  assert.deepEqual(Object.keys(site.files()).sort(), ["bad\uFFFD.csv", "two\nlines.csv"]);
});
