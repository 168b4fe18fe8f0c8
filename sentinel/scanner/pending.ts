/**
 * What stands in the way of files: they can't be read, or they are still arriving. Each is told once when
 * it begins and once when it ends, not in every pass.
 */
export interface PendingState {
  kind: "unreadable" | "arriving";
  /** A sentence for people. */
  reason: string;
}

export interface PendingFile extends PendingState {
  folder: string;
  /** "" stands for the folder itself. */
  name: string;
}

export class Pending {
  readonly #folders = new Map<string, Map<string, PendingState>>();

  count(kind: PendingState["kind"]): number {
    let count = 0;
    for (const names of this.#folders.values()) {
      for (const state of names.values()) if (state.kind === kind) count++;
    }
    return count;
  }

  /** @returns Whether this is news. */
  begin({ folder, name, kind, reason }: PendingFile): boolean {
    const names = this.#folders.get(folder) ?? new Map<string, PendingState>();
    const before = names.get(name);
    if (before?.kind === kind && before.reason === reason) return false;
    this.#folders.set(folder, names.set(name, { kind, reason }));
    return true;
  }

  /** @returns Whether there was something. */
  end(folder: string, name: string): boolean {
    const names = this.#folders.get(folder);
    if (!names?.delete(name)) return false;
    if (names.size === 0) this.#folders.delete(folder);
    return true;
  }

  has(folder: string, name: string): boolean {
    return this.#folders.get(folder)?.has(name) ?? false;
  }

  names(folder: string): string[] {
    return [...this.#folders.get(folder)?.keys() ?? []];
  }

  /** Forgets all, and takes over what was told before. */
  reset(files: Iterable<PendingFile>): void {
    this.#folders.clear();
    for (const file of files) this.begin(file);
  }

  folders(): Iterable<string> {
    return this.#folders.keys();
  }
}
