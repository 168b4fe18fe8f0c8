/** Which names of a root are files to take, by its rules, compiled once. [pure] */
import picomatch from "picomatch";
import { PARTIAL_BUILT_IN } from "../../protocol/records.ts";

/** Never data: hidden names, and what desktops leave about. */
const NEVER = /^(?:\.|~\$|thumbs\.db$)/i;
/** What copying programs, browsers and editors call a file that they are still writing. */
const PARTIAL = ["*.tmp", "*.part", "*.partial", "*.filepart", "*.crdownload", "*.swp", "*~"];
const SPECIAL = /[*?[\](){}!+@|\\]/;

export interface NameRulesOptions {
  /** Globs for names of what is still being written, in any case; `default` is the built-in list. */
  partial?: readonly string[];
  /** Globs as in a MANIFEST: without "/" held against names, with it against paths within the root. */
  ignore?: readonly string[];
  /** A file counts only beside its marker. */
  marker?: string | null;
}

export interface NameRules {
  /** Neither a file to take nor, if it is a folder, one to walk. @param folder Within the root, "" its own. */
  isIgnored(folder: string, name: string): boolean;
  readonly marker: Marker | null;
}

/** Files that say of others: it is whole. */
export interface Marker {
  isMarker(name: string): boolean;
  /** The name of a file's marker, in the same folder. */
  of(name: string): string;
}

export function nameRules(options: NameRulesOptions = {}): NameRules {
  const { partial = [PARTIAL_BUILT_IN], ignore = [], marker = null } = options;
  const isPartial = anyOf(partial.flatMap((glob) => glob === PARTIAL_BUILT_IN ? PARTIAL : [glob]), {
    nocase: true, // half of these come from Windows
  });
  const isIgnoredName = anyOf(ignore.filter((glob) => !glob.includes("/")), {});
  const paths = ignore.filter((glob) => glob.includes("/")).map((glob) => glob.replace(/^\//, ""));
  const isIgnoredPath = paths.length === 0 ? null : anyOf(paths, { dot: true });
  return {
    isIgnored: (folder, name) =>
      NEVER.test(name) || isPartial(name) || isIgnoredName(name) ||
      isIgnoredPath !== null && isIgnoredPath(folder === "" ? name : `${folder}/${name}`),
    marker: marker === null ? null : markerOf(marker),
  };
}

/** Whether a file is no data, or lies in a folder that is not walked. */
export function ignoresPath(rules: NameRules, folder: string, name: string): boolean {
  if (folder !== "") {
    const slash = folder.lastIndexOf("/");
    if (ignoresPath(rules, folder.slice(0, Math.max(0, slash)), folder.slice(slash + 1))) {
      return true;
    }
  }
  return rules.isIgnored(folder, name) || rules.marker?.isMarker(name) === true;
}

/** Nearly all globs are a star and an ending, which need no regular expression. */
function anyOf(globs: readonly string[], options: picomatch.PicomatchOptions) {
  const isPlain = (glob: string) =>
    glob.startsWith("*") && !SPECIAL.test(glob.slice(1)) &&
    !glob.includes("/");
  const cased = (text: string) => options.nocase ? text.toLowerCase() : text;
  const endings = globs.filter(isPlain).map((glob) => cased(glob.slice(1)));
  const matchers = globs.filter((glob) => !isPlain(glob)).map((glob) =>
    picomatch(glob, { windows: false, flags: options.nocase ? "si" : "s", ...options })
  );
  return (name: string) => {
    const text = endings.length === 0 ? name : cased(name);
    return endings.some((ending) => text.endsWith(ending)) ||
      matchers.some((matches) => matches(name));
  };
}

const PLACEHOLDER = /\*|\{stem\}/;

function markerOf(pattern: string): Marker {
  const [placeholder] = PLACEHOLDER.exec(pattern) ?? [];
  if (placeholder === undefined) return { isMarker: (name) => name === pattern, of: () => pattern };
  const [before = "", after = ""] = pattern.split(placeholder);
  return {
    isMarker: (name) =>
      name.length > before.length + after.length && name.startsWith(before) && name.endsWith(after),
    of: (name) => before + (placeholder === "*" ? name : stemOf(name)) + after,
  };
}

function stemOf(name: string): string {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? name.slice(0, dot) : name;
}
