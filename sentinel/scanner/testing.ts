/** For tests: one root on the real disk, a store in memory, a clock that moves only when told to. */
import { type Disk, openDisk, type Stamp } from "./disk.ts";
import type { KnownFiles } from "./known_files.ts";
import type { PendingFile } from "./pending.ts";
import { joinPath } from "./folder_listing.ts";
import type { Observations, ScanSummary, SeenFile } from "./observations.ts";
import type { Reading } from "./reading.ts";
import { RootScan, type RootSettings } from "./root_scan.ts";

export const SETTLE_MS = 2_000;
export const POLL_MS = 10_000;
export const PATIENCE_MS = 60_000;
const STEPS_MAX = 100_000;

export class ScanWorld {
  readonly directory: string;
  readonly root: string;
  readonly batches: Observations[] = [];
  readonly summaries: ScanSummary[] = [];
  /** Absolute path to the error that any access meets. */
  readonly broken = new Map<string, Error>();
  /** Called with the path before a file is read. */
  onHash: (path: string) => void = () => {};
  hashes = 0;
  refuse = false;
  /** Of the file system; null for a local one. */
  fileSystem: string | null = null;
  /** The file system rounds times down to so many milliseconds. */
  timeGrainMs = 1;
  /** Absolute path to what the file system says in place of the truth. */
  readonly stamps = new Map<string, Partial<Stamp>>();
  scan: RootScan;
  #settings: RootSettings;
  readonly #files = new Map<string, Map<string, SeenFile>>();
  readonly #pending = new Map<string, PendingFile>();
  #nowMs = 0;
  /** Near now, but always the same within ten seconds, so that what rounds times does it alike in each run. */
  readonly #startedAtMs = Math.floor(Date.now() / 10_000) * 10_000 + 7;

  /** @param dir Where its folder is made; by default where temporary ones are. */
  constructor(excludedNames: string[] = [], rules: Partial<RootSettings> = {}, dir?: string) {
    const prefix = "casparian-scan-";
    this.directory = Deno.makeTempDirSync(dir === undefined ? { prefix } : { prefix, dir });
    this.root = `${this.directory}/root`;
    Deno.mkdirSync(this.root);
    const excludedFolders = excludedNames.map((name) => `${this.root}/${name}`);
    this.#settings = {
      ...{ rootId: 1, name: "in", directory: this.root, excludedFolders },
      ...{ settleMs: SETTLE_MS, patienceMs: PATIENCE_MS, pollMs: POLL_MS },
      ...rules,
    };
    this.scan = this.#newScan();
  }

  /** The root goes on under other rules, as after a change or a restart. */
  restart(rules: Partial<RootSettings> = {}): void {
    this.#settings = { ...this.#settings, ...rules };
    this.scan = this.#newScan();
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  get wallMs(): number {
    return this.#startedAtMs + this.#nowMs;
  }

  /** Writes a file in the root whose mtime is `ageMs` ago. */
  write(path: string, content: string | Uint8Array, ageMs = 60_000): void {
    const whole = `${this.root}/${path}`;
    Deno.mkdirSync(whole.slice(0, whole.lastIndexOf("/")), { recursive: true });
    if (typeof content === "string") Deno.writeTextFileSync(whole, content);
    else Deno.writeFileSync(whole, content);
    this.touch(path, ageMs);
  }

  touch(path: string, ageMs: number): void {
    const mtime = new Date(this.wallMs - ageMs);
    Deno.utimeSync(`${this.root}/${path}`, mtime, mtime);
  }

  /** Does all there is to do now. */
  async work(): Promise<void> {
    for (let steps = 0; await this.scan.step(); steps++) {
      if (steps > STEPS_MAX) throw new Error(`Cannot end as work must run out: ${steps} steps`);
    }
  }

  /** Moves the clock on, stopping wherever the scan wants to do something. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await this.work();
    while (this.scan.nextDueMs <= untilMs) {
      this.#nowMs = Math.max(this.#nowMs, this.scan.nextDueMs);
      await this.work();
    }
    this.#nowMs = untilMs;
  }

  /** A whole pass, now. */
  async scanNow(): Promise<ScanSummary> {
    this.scan.request(1);
    await this.work();
    return this.summaries.at(-1)!;
  }

  /** Paths that the store holds as live, sorted, each with its size. */
  stored(): string[] {
    return this.storedFiles().map(({ folder, name }) => folder === "" ? name : `${folder}/${name}`);
  }

  storedFiles(): SeenFile[] {
    const files = [...this.#files.values()].flatMap((folder) => [...folder.values()]);
    const key = ({ folder, name }: SeenFile) => `${folder}/${name}`;
    return files.sort((a, b) => key(a) < key(b) ? -1 : 1);
  }

  /** All that was told, of one kind, since the last call. */
  take<K extends "seen" | "deleted" | "unreadable" | "arriving" | "mended">(
    kind: K,
  ): Observations[K][number][] {
    return this.batches.flatMap((batch) => batch[kind].splice(0) as Observations[K]);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }

  /** What the store holds as being in the way of files, sorted: path and reason. */
  waiting(): [string, string][] {
    return [...this.#pending].map(([path, { reason }]): [string, string] => [path, reason]).sort();
  }

  #newScan(): RootScan {
    return new RootScan(this.#settings, {
      disk: this.#disk(),
      known: this.#known(),
      clock: { nowMs: () => this.#nowMs, wallMs: () => this.wallMs },
      breathe: () => Promise.resolve(),
      // deno-lint-ignore require-await
      send: async (observations) => this.#store(observations),
      quiet: () => Promise.resolve(),
      onScanned: (summary) => this.summaries.push(summary),
      onProgress: () => {},
    });
  }

  #store(observations: Observations): void {
    if (this.refuse) throw new Error("The store is closed for today");
    this.batches.push(structuredClone(observations));
    const { seen, deleted, unreadable, arriving, mended } = observations;
    for (const file of mended) this.#pending.delete(joinPath(file.folder, file.name));
    for (const file of seen) {
      const files = this.#files.get(file.folder) ?? new Map<string, SeenFile>();
      this.#files.set(file.folder, files.set(file.name, file));
      this.#pending.delete(joinPath(file.folder, file.name));
    }
    for (const { folder, name } of deleted) {
      this.#files.get(folder)?.delete(name);
      if (this.#files.get(folder)?.size === 0) this.#files.delete(folder);
      this.#pending.delete(joinPath(folder, name));
    }
    for (const file of unreadable) this.#wait({ ...file, kind: "unreadable" });
    for (const file of arriving) this.#wait({ ...file, kind: "arriving" });
  }

  #wait(file: PendingFile): void {
    this.#pending.set(joinPath(file.folder, file.name), file);
  }

  #known(): KnownFiles {
    return {
      folder: (_rootId, folder) => new Map<string, Stamp>(this.#files.get(folder) ?? []),
      folders: () => [...this.#files.keys()],
      pending: () => [...this.#pending.values()],
      close: () => {},
    };
  }

  #disk(): Disk {
    const disk = openDisk();
    const orBroken = <T>(ask: (path: string) => T) => (path: string): T => {
      const error = this.broken.get(path);
      if (error !== undefined) throw error;
      return ask(path);
    };
    const orTold = <T extends Stamp>(ask: (path: string) => T) => (path: string): T => {
      const stamp = ask(path);
      const mtimeMs = Math.floor(stamp.mtimeMs / this.timeGrainMs) * this.timeGrainMs;
      return { ...stamp, mtimeMs, ...this.stamps.get(path) };
    };
    return {
      readFolder: orBroken(disk.readFolder),
      lstat: orTold(disk.lstat),
      stat: orTold(disk.stat),
      realPath: disk.realPath,
      identity: orBroken(disk.identity),
      networkFileSystem: () => this.fileSystem,
      open: orBroken((path) => this.#counted(path, disk.open(path))),
    };
  }

  /** A reading of the whole file counts as a hash. */
  #counted(path: string, reading: Reading): Reading {
    return {
      head: () => reading.head(),
      whole: () => null,
      tail: (bytesMax) => reading.tail(bytesMax),
      read: async (take, breathe) => {
        this.hashes++;
        this.onHash(path);
        await reading.read(take, breathe);
      },
      [Symbol.dispose]: () => reading[Symbol.dispose](),
    };
  }
}
