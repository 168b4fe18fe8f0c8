/**
 * Which of the project's own files a bundle holds [pure]: what casparian.ts leads to, so that no test and
 * no tool comes along, and what code reads beside it (SQL, shell, Python).
 */
import { posix } from "node:path";

export interface ProjectReader {
  /** @returns `null` if there is no such file. */
  readText(path: string): string | null;
  /** Every file below a folder, relative to the project; nothing where the folder is not. */
  filesBelow(folder: string): readonly string[];
}

export interface SourceFiles {
  /** Relative to the project, sorted. */
  readonly files: readonly string[];
  /** Packages that the files import, as deno.json's `imports` name them. */
  readonly packages: readonly string[];
}

const ENTRY = "casparian.ts";
const SCRIPT = /\.tsx?$/;
/** Tests of the shim, what runs leave behind, and what only git reads. */
const NOT_SHIPPED = /(^|\/)(test_[^/]*\.py$|__pycache__\/|\.)/;

/**
 * @param rooms Top-level folders that may be followed into.
 * @param imports The names in deno.json's `imports`.
 */
export function sourceFiles(
  project: ProjectReader,
  rooms: readonly string[],
  imports: readonly string[],
): SourceFiles {
  const scripts = new Map<string, string>();
  const ahead = [ENTRY];
  for (let path = ahead.pop(); path !== undefined; path = ahead.pop()) {
    const text = scripts.has(path) || !isWithin(path, rooms) ? null : project.readText(path);
    if (text === null) continue;
    scripts.set(path, text);
    if (SCRIPT.test(path)) ahead.push(...targets(path, text));
  }
  const beside = rooms.flatMap((room) => project.filesBelow(room))
    .filter((path) => !SCRIPT.test(path) && !NOT_SHIPPED.test(path));
  const used = [...scripts.values()].flatMap(packageSpecifiers);
  return {
    files: [...new Set([...scripts.keys(), ...beside])].toSorted(),
    packages: imports.filter((name) => used.some((specifier) => isOf(name, specifier))).toSorted(),
  };
}

function isWithin(path: string, rooms: readonly string[]): boolean {
  return !path.includes("/") || rooms.includes(path.slice(0, path.indexOf("/")));
}

/** What is imported, and what `new URL("./thread.ts", import.meta.url)` names: any quoted relative path. */
function targets(path: string, text: string): string[] {
  const specifiers = text.matchAll(/"(\.\.?\/[^"\s]+\.(?:tsx?|json))"/g);
  return Array.from(specifiers, ([, target]) => posix.join(posix.dirname(path), target!));
}

function packageSpecifiers(text: string): string[] {
  return Array.from(
    text.matchAll(/(?:\bfrom |\bimport\(|\bimport |\bresolve\()"([^"./][^":]*)"/g),
    ([, specifier]) => specifier!,
  );
}

function isOf(name: string, specifier: string): boolean {
  return specifier === name || specifier.startsWith(`${name}/`);
}
