/**
 * One walk over a whole root, in small steps, so that what is more urgent can come between.
 *
 * Only its end tells which folders have vanished: those that the view remembers and the walk did not
 * come by. What lies below a folder that can't be read is unknown, not gone.
 */
import type { Arrival } from "./arrivals.ts";
import type { RootView } from "./root_view.ts";

export class Pass {
  files = 0;
  readonly #view: RootView;
  readonly #ahead = [""];
  readonly #visited = new Set<string>();
  readonly #unreadable: string[] = [];
  #examining: Arrival[] = [];

  /** @throws {RootUnavailable} */
  constructor(view: RootView) {
    this.#view = view;
    view.open();
  }

  get folders(): number {
    return this.#visited.size;
  }

  /** One file or one folder. @returns Whether the walk goes on. @throws {RootUnavailable} */
  async step(): Promise<boolean> {
    const arrival = this.#examining.pop();
    if (arrival !== undefined) await this.#view.examine(arrival);
    else await this.#visit(this.#ahead.pop()!);
    if (this.#ahead.length > 0 || this.#examining.length > 0) return true;
    for (const folder of this.#view.folders()) {
      if (this.#hasVanished(folder)) await this.#view.vanish(folder);
    }
    return false;
  }

  /** A folder that was looked at on another occasion while the walk went on. */
  met(folder: string): void {
    this.#visited.add(folder);
  }

  async #visit(folder: string): Promise<void> {
    const visit = await this.#view.visit(folder);
    if (visit.state === "unreadable") this.#unreadable.push(folder);
    if (visit.state !== "listed") return;
    this.#visited.add(folder);
    this.files += visit.files;
    for (const subfolder of visit.subfolders) this.#ahead.push(subfolder);
    this.#examining = visit.ready.reverse();
  }

  #hasVanished(folder: string): boolean {
    return !this.#visited.has(folder) &&
      !this.#unreadable.some((top) => folder === top || folder.startsWith(`${top}/`));
  }
}
