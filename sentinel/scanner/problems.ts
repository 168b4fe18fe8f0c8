/** What can't be read, so that each is told once when it begins and once when it ends, not in every pass. */
export class Problems {
  readonly #folders = new Map<string, Map<string, string>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @returns Whether this is news. The name "" stands for the folder itself. */
  begin(folder: string, name: string, reason: string): boolean {
    const names = this.#folders.get(folder) ?? new Map<string, string>();
    if (names.get(name) === reason) return false;
    this.#size += names.has(name) ? 0 : 1;
    this.#folders.set(folder, names.set(name, reason));
    return true;
  }

  /** @returns Whether there was a problem. */
  end(folder: string, name: string): boolean {
    const names = this.#folders.get(folder);
    if (!names?.delete(name)) return false;
    this.#size--;
    if (names.size === 0) this.#folders.delete(folder);
    return true;
  }

  names(folder: string): string[] {
    return [...this.#folders.get(folder)?.keys() ?? []];
  }
}
