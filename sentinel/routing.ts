/**
 * Routes files to plugins: all patterns are compiled into one matcher.
 *
 * Asking every pattern about every file costs (rules × files) regular expressions. Nearly every
 * pattern ends in a literal extension, though, so patterns are kept in buckets by that extension and
 * a file asks only the buckets of its own name, and in there only rules that begin as it does. What can't be told from the text of a pattern alone goes into the general bucket,
 * which every file asks: the buckets change the cost, never the answer.
 */
import picomatch from "picomatch";

/** Longest pattern taken, in characters. */
export const PATTERN_CHARS_MAX = 1_000;

export interface Route {
  id: string;
  /**
   * A glob of picomatch's. Without "/" it is held against the base name in any folder, with "/"
   * against the path relative to the root; a leading "/" pins it to the root's own folder.
   */
  pattern: string;
  target: string;
}

export interface Matcher {
  /** The routes that take the file, in the order in which they were compiled. */
  match(relativePath: string): Route[];
}

/** The author's fault: the pattern can't be used. */
export class RoutingError extends Error {
  override name = "RoutingError";
  constructor(readonly route: Route, reason: string, options?: ErrorOptions) {
    const pattern = JSON.stringify(route.pattern.slice(0, 100));
    super(`Cannot use the pattern of route ${route.id} as ${reason}: got ${pattern}`, options);
  }
}

interface Rule {
  order: number;
  route: Route;
  /** Held against the base name, or against the whole relative path. */
  wholePath: boolean;
  prefix: string;
  matches(subject: string): boolean;
}

/** @throws {RoutingError} If a pattern is empty, too long, or not a glob. */
export function compileRoutes(routes: readonly Route[]): Matcher {
  const general = new Bucket();
  const byExtension = new Map<string, Bucket>();
  for (const [order, route] of routes.entries()) {
    const rule = compileRule(route, order);
    const extension = literalExtension(route.pattern);
    const bucket = extension === null ? general : byExtension.get(extension) ?? new Bucket();
    if (extension !== null) byExtension.set(extension, bucket);
    bucket.add(rule);
  }
  return { match: (relativePath) => match(relativePath, general, byExtension) };
}

function match(path: string, general: Bucket, byExtension: Map<string, Bucket>): Route[] {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const found: Rule[] = [];
  general.collect(path, name, found);
  for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
    byExtension.get(name.slice(dot))?.collect(path, name, found);
  }
  return found.sort((a, b) => a.order - b.order).map((rule) => rule.route);
}

/** Rules under their literal beginnings; a file asks once for every length that occurs. */
class Bucket {
  readonly #forNames = new Map<number, Map<string, Rule[]>>();
  readonly #forPaths = new Map<number, Map<string, Rule[]>>();

  add(rule: Rule): void {
    const byLength = rule.wholePath ? this.#forPaths : this.#forNames;
    const byPrefix = byLength.get(rule.prefix.length) ?? new Map<string, Rule[]>();
    byLength.set(rule.prefix.length, byPrefix);
    byPrefix.set(rule.prefix, [...byPrefix.get(rule.prefix) ?? [], rule]);
  }

  collect(path: string, name: string, found: Rule[]): void {
    collect(this.#forNames, name, found);
    collect(this.#forPaths, path, found);
  }
}

function collect(byLength: Map<number, Map<string, Rule[]>>, subject: string, found: Rule[]): void {
  for (const [length, byPrefix] of byLength) {
    const rules = byPrefix.get(subject.slice(0, length));
    if (rules === undefined) continue;
    for (const rule of rules) if (rule.matches(subject)) found.push(rule);
  }
}

function compileRule(route: Route, order: number): Rule {
  const { pattern } = route;
  const prefix = literalPrefix(pattern);
  return { order, route, wholePath: pattern.includes("/"), prefix, matches: compileGlob(route) };
}

function compileGlob(route: Route): (subject: string) => boolean {
  const glob = plainGlob(route.pattern);
  if (glob.trim() === "") throw new RoutingError(route, "it must not be empty");
  if (glob.length > PATTERN_CHARS_MAX) {
    throw new RoutingError(route, `it must be at most ${PATTERN_CHARS_MAX} characters`);
  }
  try {
    // debug: an impossible expression throws instead of matching nothing; "s": names may hold newlines.
    return picomatch(glob, { windows: false, strictBrackets: true, debug: true, flags: "s" });
  } catch (cause) {
    throw new RoutingError(route, `it must be a glob (${(cause as Error).message})`, { cause });
  }
}

/**
 * A leading slash only says that the whole path counts. Stars beyond two mean nothing, but picomatch
 * 4.0.7 then forgets to escape dots ("***a.b" took "aab").
 */
function plainGlob(pattern: string): string {
  return pattern.replace(/^\//, "").replace(/\*{3,}/g, "**");
}

const SPECIAL = /[*?[\](){}!+@|\\"]/;

/**
 * The literal text from the first dot behind the pattern's last special character, or null. Every
 * base name that matches ends in it. "!" can turn the meaning of the whole pattern around.
 */
function literalExtension(pattern: string): string | null {
  if (/[!|]/.test(pattern)) return null;
  let start = pattern.length;
  while (start > 0 && !SPECIAL.test(pattern[start - 1]!) && pattern[start - 1] !== "/") start--;
  const dot = pattern.indexOf(".", start);
  return dot < 0 ? null : pattern.slice(dot);
}

/** The literal text that every match begins with, "" if that can't be told. "a/**" matches "a" too. */
function literalPrefix(pattern: string): string {
  const glob = plainGlob(pattern);
  if (glob.includes("|") || glob.startsWith("./")) return "";
  const end = glob.search(SPECIAL);
  const literal = end < 0 ? glob : glob.slice(0, end);
  return literal.endsWith("/") ? literal.slice(0, -1) : literal;
}
