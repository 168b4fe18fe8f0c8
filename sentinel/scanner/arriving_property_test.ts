/**
 * Random writers: several files at once are delivered in pieces with pauses, appended to, delivered under
 * another name and renamed, touched, deleted, while the scan goes on, is restarted, and the store refuses.
 * Files without an end of their own are written without pausing for as long as they settle; all others
 * may pause for nearly as long as the patience lasts.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { joinPath } from "./folder_listing.ts";
import { PATIENCE_MS, POLL_MS, ScanWorld, SETTLE_MS } from "./testing.ts";

interface Step {
  waitMs: number;
  how: "deliver" | "append" | "rename" | "keep time" | "touch" | "delete";
  seed: number;
  cuts: number[];
  pauseMs: number;
}

interface Event {
  atMs: number;
  act(world: Writers): void;
}

const PATHS = ["x.csv", "a/y.txt", "z.csv.gz", "a/b/w.json", "v.xml", "u.parquet"];

const step: fc.Arbitrary<Step> = fc.record({
  waitMs: fc.nat(30_000),
  how: fc.constantFrom("deliver", "deliver", "append", "rename", "keep time", "touch", "delete"),
  seed: fc.nat(1000),
  cuts: fc.array(fc.nat(1000), { maxLength: 4 }),
  pauseMs: fc.nat(PATIENCE_MS),
});
const disturbance = fc.record({
  atMs: fc.nat(120_000),
  what: fc.constantFrom("hint", "hint", "forget", "restart", "refuse", "accept", "scan"),
});
const scenario = fc.record({
  scripts: fc.array(
    fc.record({ path: fc.constantFrom(...PATHS), steps: fc.array(step, { maxLength: 4 }) }),
    {
      maxLength: 5,
    },
  ),
  disturbances: fc.array(disturbance, { maxLength: 8 }),
  isShare: fc.boolean(),
  timeGrainMs: fc.constantFrom(1, 1, 1_000, 2_000),
});

Deno.test("none is missed and none is taken half-written, whatever writers do and pauses they make", async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ scripts, disturbances, isShare, timeGrainMs }) => {
      using writers = new Writers(isShare, timeGrainMs);
      const byPath = new Map(scripts.map(({ path, steps }) => [path, steps])); // one writer a file
      const events = [
        ...[...byPath].flatMap(([path, steps]) => eventsOf(path, steps)),
        ...disturbances.map(({ atMs, what }) => ({ atMs, act: (w: Writers) => w.disturb(what) })),
      ].sort((a, b) => a.atMs - b.atMs);
      for (const { atMs, act } of events) {
        await writers.passUntil(atMs);
        act(writers);
      }
      await writers.end();
    }),
    { numRuns: 200 },
  );
});

/** A file's steps one after the other, as events on the common clock. */
function eventsOf(path: string, steps: Step[]): Event[] {
  const events: Event[] = [];
  let atMs = 0;
  for (const step of steps) {
    atMs += step.waitMs;
    const pauseMs = step.pauseMs % (hasEnd(path) ? PATIENCE_MS : SETTLE_MS);
    const bytes = contentOf(path, step.seed);
    // Each piece has a byte, or there would be none that moves: where times are coarse a touch may not show.
    const cuts = [...new Set(step.cuts.map((cut) => cut % bytes.length))].sort((a, b) => a - b);
    const ends = [...cuts, bytes.length];
    const isPlain = step.how === "touch" || step.how === "delete";
    for (const [index, end] of (isPlain ? [0] : ends).entries()) {
      const piece = bytes.subarray(index === 0 ? 0 : ends[index - 1], end);
      const isLast = isPlain || index === ends.length - 1;
      events.push({ atMs, act: (writers) => writers.write(path, step.how, piece, index, isLast) });
      if (!isLast) atMs += step.how === "rename" ? step.pauseMs : pauseMs;
    }
    atMs++; // no two writes have the same mtime: on a share what differs in nothing else can't be told
  }
  return events;
}

function hasEnd(path: string): boolean {
  return !/\.(csv|txt)$/.test(path);
}

/** Whole content of a file's format. */
function contentOf(path: string, seed: number): Uint8Array {
  const rows = Array.from({ length: 1 + seed % 50 }, (_, row) => row * seed % 97);
  const text = (content: string) => new TextEncoder().encode(content);
  if (path.endsWith(".gz")) return gzipSync(rows.join("\n"));
  if (path.endsWith(".json")) return text(JSON.stringify(rows.map((row) => ({ row, s: "]}" }))));
  if (path.endsWith(".xml")) {
    return text(`<r>${rows.map((row) => `<r a="${row}">x</r>`).join("")}</r>`);
  }
  if (path.endsWith(".parquet")) return text(`PAR1${rows.join()}\x01\0\0\0PAR1`);
  return text(rows.map((row) => `${row};x\n`).join(""));
}

/** The disk as writers leave it, the scan over it, and what each file ever was when its writer was done. */
class Writers implements Disposable {
  readonly world: ScanWorld;
  readonly #whole = new Map<string, Set<string>>();

  constructor(isShare: boolean, timeGrainMs: number) {
    this.world = new ScanWorld();
    this.world.timeGrainMs = timeGrainMs;
    this.world.fileSystem = isShare ? "nfs" : null;
    this.world.restart();
    this.world.write(".keep", "");
  }

  async passUntil(atMs: number): Promise<void> {
    await this.world.pass(Math.max(0, atMs - this.world.nowMs));
    this.#check();
  }

  write(path: string, how: Step["how"], piece: Uint8Array, index: number, isLast: boolean): void {
    const target = how === "rename" ? `${path}.part` : path;
    const isMore = index > 0 || how === "append";
    if (how === "delete") ifThere(() => Deno.removeSync(`${this.world.root}/${path}`));
    else if (how === "touch") ifThere(() => this.world.touch(path, 0));
    else this.world.write(target, isMore ? joined(this.#bytes(target), piece) : piece, 0);
    if (how === "rename" && isLast) {
      Deno.renameSync(`${this.world.root}/${target}`, `${this.world.root}/${path}`);
    }
    if (how === "keep time" && isLast) this.world.touch(path, 3_600_000); // as cp -p and rsync do
    if (isLast) {
      this.#whole.set(path, (this.#whole.get(path) ?? new Set()).add(sha256(this.#bytes(path))));
    }
  }

  disturb(what: string): void {
    if (what === "hint") { for (const folder of ["", "a", "a/b"]) this.world.scan.hint(folder); }
    if (what === "forget") this.world.scan.forget();
    if (what === "restart") this.world.restart();
    if (what === "scan") this.world.scan.request(1);
    if (what === "refuse" || what === "accept") this.world.refuse = what === "refuse";
  }

  /** The last word: the store knows exactly what is on the disk, and waits for nothing. */
  async end(): Promise<void> {
    this.world.refuse = false;
    await this.world.pass(PATIENCE_MS + 2 * SETTLE_MS + 2 * POLL_MS);
    this.#check();
    const stored = this.world.storedFiles().map(({ folder, name, contentHash }) => {
      return [joinPath(folder, name), contentHash];
    });
    const onDisk = PATHS.flatMap((path) => {
      const bytes = this.#bytes(path, null);
      return bytes === null ? [] : [[path, sha256(bytes)]];
    });
    assert.deepEqual(Object.fromEntries(stored), Object.fromEntries(onDisk));
    assert.deepEqual(this.world.waiting(), []);
  }

  [Symbol.dispose](): void {
    this.world[Symbol.dispose]();
  }

  /** Whatever was taken was whole at some time. */
  #check(): void {
    for (const { folder, name, contentHash, note } of this.world.take("seen")) {
      const path = joinPath(folder, name);
      assert.ok(this.#whole.get(path)?.has(contentHash), `${path} was taken half-written`);
      assert.equal(note, null, path);
    }
  }

  #bytes(path: string): Uint8Array;
  #bytes(path: string, ifMissing: null): Uint8Array | null;
  #bytes(path: string, ifMissing: Uint8Array | null = new Uint8Array()): Uint8Array | null {
    let bytes: Uint8Array | null = ifMissing;
    ifThere(() => bytes = Deno.readFileSync(`${this.world.root}/${path}`));
    return bytes;
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function ifThere(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
