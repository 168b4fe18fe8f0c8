/** File versions become jobs: once per (plugin version, file version), whoever asks and how often. */
import type { Clock } from "../protocol/ports.ts";
import type { Rule } from "../protocol/records.ts";
import { compileRoutes, type Matcher } from "./routing.ts";
import type { CurrentFile, Observations, PluginRow, Store, WantedJob } from "./store/store.ts";

/** Files that a backfill looks at in one go: about 10 ms of the loop. */
const BACKFILL_FILES_MAX = 1000;

interface Target {
  plugin: PluginRow;
  /** Added to the plugin's own priority. */
  priority: number;
}

export class Intake {
  #matcher: Matcher = compileRoutes([]);
  /** By route id. */
  readonly #targets = new Map<string, Target>();
  #backfilling: PluginRow[] = [];

  /** @param onQueued Hears which plugin versions have new jobs. */
  constructor(
    readonly store: Store,
    readonly clock: Clock,
    readonly onQueued: (pluginIds: readonly number[]) => void,
  ) {}

  /** A plugin's own pattern is a rule of its own; the others lead to it by the tags it subscribes to. */
  setRoutes(
    plugins: readonly PluginRow[],
    rules: readonly Rule[],
    subscriptions: readonly { plugin: string; tag: string }[],
  ): void {
    const byName = new Map(plugins.map((plugin) => [plugin.name, plugin]));
    const own = plugins.flatMap((plugin) =>
      plugin.patterns.map((pattern) => ({ pattern, target: { plugin, priority: 0 } }))
    );
    const ruled = rules.filter(({ enabled }) => enabled).flatMap(({ pattern, tag, priority }) =>
      subscriptions.filter((subscription) => subscription.tag === tag).flatMap(
        ({ plugin: name }) => {
          const plugin = byName.get(name);
          return plugin ? [{ pattern, target: { plugin, priority } }] : [];
        },
      )
    );
    this.#targets.clear();
    this.#matcher = compileRoutes([...own, ...ruled].map(({ pattern, target }, index) => {
      const id = String(index);
      this.#targets.set(id, target);
      return { id, pattern, target: target.plugin.name };
    }));
    this.#backfilling = plugins.filter(({ intakeAfterFileId }) => intakeAfterFileId !== null);
  }

  /** Plugin versions whose files are not all taken in yet. */
  get backfilling(): number {
    return this.#backfilling.length;
  }

  async observed(observations: Observations): Promise<void> {
    const nowMs = this.clock.nowMs();
    await this.#enqueue(await this.store.observe(observations, nowMs));
  }

  /** Takes in one more chunk of files for the versions that lag; false when there are none. */
  async backfill(): Promise<boolean> {
    const [first] = this.#backfilling;
    if (!first) return false;
    const after = first.intakeAfterFileId ?? 0;
    // Versions at the same place go on together: one pass over the files serves all of them.
    const together = this.#backfilling.filter((plugin) => plugin.intakeAfterFileId === after);
    const files = await this.store.currentFiles(after, BACKFILL_FILES_MAX);
    const ids = new Set(together.map(({ id }) => id));
    await this.#enqueue(files, (plugin) => ids.has(plugin.id));
    const last = files.length < BACKFILL_FILES_MAX ? null : files.at(-1)!.fileId;
    for (const plugin of together) {
      await this.store.intakeProgress(plugin.id, last);
      plugin.intakeAfterFileId = last;
    }
    if (last === null) {
      this.#backfilling = this.#backfilling.filter((plugin) => !ids.has(plugin.id));
    }
    return true;
  }

  async #enqueue(
    files: readonly CurrentFile[],
    wants: (plugin: PluginRow) => boolean = () => true,
  ): Promise<void> {
    const wanted = files.flatMap((file) => this.#wantedFor(file)).filter(({ plugin }) =>
      wants(plugin)
    );
    if (wanted.length === 0) return;
    const { queued } = await this.store.enqueue(wanted, this.clock.nowMs());
    this.onQueued(queued);
  }

  /** One job per plugin, however many routes lead to it; the highest priority counts. */
  #wantedFor({ fileId, versionId, path }: CurrentFile): (WantedJob & { plugin: PluginRow })[] {
    const jobs = new Map<number, WantedJob & { plugin: PluginRow }>();
    for (const { id } of this.#matcher.match(path)) {
      const { plugin, priority } = this.#targets.get(id)!;
      const own = (plugin.manifest as { priority?: number }).priority ?? 0;
      const known = jobs.get(plugin.id);
      jobs.set(plugin.id, {
        plugin,
        pluginId: plugin.id,
        pluginName: plugin.name,
        fileId,
        fileVersionId: versionId,
        priority: Math.max(own + priority, known?.priority ?? -Infinity),
      });
    }
    return [...jobs.values()];
  }
}
