/**
 * The npm packages of a bundle: those that our code imports and those that they need, without what never
 * runs. They are laid out without links, as not every way to copy a folder keeps those.
 */
import { dirname, join } from "node:path";
import * as z from "zod";

export interface PackageFolder {
  readonly name: string;
  readonly version: string;
  /** Where it is now; a real path. */
  readonly directory: string;
  /** Where it goes, relative to the bundle. */
  readonly destination: string;
}

export interface Platform {
  /** As Node calls them: linux or darwin, x64 or arm64. */
  readonly os: string;
  readonly cpu: string;
}

const names = z.record(z.string(), z.string()).default({});
const PackageJson = z.object({
  name: z.string(),
  version: z.string(),
  dependencies: names,
  optionalDependencies: names,
  os: z.array(z.string()).optional(),
  cpu: z.array(z.string()).optional(),
  libc: z.array(z.string()).optional(),
});

/** Of these only what is named here is used; of all others what {@link RUNS} lets through. */
const USED: Readonly<Record<string, RegExp>> = {
  // Its libzmq, see protocol/zeromq_library.ts: none of its JavaScript, so none of what that needs.
  zeromq: /^(package\.json|LICENSE.*)$/,
  "parquet-wasm": /^(package\.json|LICENSE.*|esm\/.*\.(js|wasm))$/,
};
const WITHOUT_DEPENDENCIES = ["zeromq"];
const RUNS = /(^|\/)(LICENSE[^/]*|[^/]*\.(js|mjs|cjs|json|wasm|node))$/i;
const NEVER_RUNS = /\.min\.js$|(^|\/)tsconfig[^/]*\.json$/;

/**
 * @param roots Packages that are imported by name.
 * @param nodeModules The project's folder of packages.
 * @throws {Error} If one is not there.
 */
export function packageFolders(
  nodeModules: string,
  roots: readonly string[],
  platform: Platform,
): PackageFolder[] {
  const placed = new Map<string, PackageFolder>();
  for (const name of roots) place(name, nodeModules, "", platform, placed, false);
  return [...placed.values()].toSorted((a, b) => a.destination < b.destination ? -1 : 1);
}

/** Puts a package at the top, or below the one that needs it where the top has another version. */
function place(
  name: string,
  from: string,
  parent: string,
  platform: Platform,
  placed: Map<string, PackageFolder>,
  optional: boolean,
): void {
  const directory = find(name, from);
  if (directory === null && optional) return; // for another platform, or left out on purpose
  if (directory === null) {
    throw new Error(`Cannot bundle ${name} as it is not installed: run "deno install"`);
  }
  const json = PackageJson.parse(
    JSON.parse(Deno.readTextFileSync(join(directory, "package.json"))),
  );
  if (!fits(json, platform)) return;
  const top = join("node_modules", name);
  const same = placed.get(top)?.version === json.version;
  const destination = placed.has(top) && !same ? join(parent, top) : top;
  if (placed.has(destination)) return;
  placed.set(destination, { name, version: json.version, directory, destination });
  if (WITHOUT_DEPENDENCIES.includes(name)) return;
  const { optionalDependencies: maybe, dependencies } = json;
  for (const dependency of Object.keys({ ...dependencies, ...maybe }).toSorted()) {
    if (dependency.startsWith("@types/")) continue;
    place(dependency, directory, destination, platform, placed, dependency in maybe);
  }
}

/** As Node finds a package: in the nearest node_modules folder above. */
function find(name: string, from: string): string | null {
  for (let folder = from;; folder = dirname(folder)) {
    const holder = folder.endsWith("node_modules") ? folder : join(folder, "node_modules");
    try {
      return Deno.realPathSync(join(holder, name));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      if (folder === dirname(folder)) return null;
    }
  }
}

/** Deno itself is made for glibc, so a package for musl would not load. */
function fits({ os, cpu, libc }: z.infer<typeof PackageJson>, platform: Platform): boolean {
  return (os?.includes(platform.os) ?? true) && (cpu?.includes(platform.cpu) ?? true) &&
    (libc?.includes("glibc") ?? true);
}

/** The files of a package that may be run or read, relative to it, sorted. */
export function packageFiles({ name, directory }: PackageFolder): string[] {
  const wanted = USED[name] ?? RUNS;
  return filesBelow(directory).filter((path) => wanted.test(path) && !NEVER_RUNS.test(path));
}

/** Every file below a folder, relative to it, sorted; packages inside of packages are not part of them. */
export function filesBelow(directory: string, prefix = ""): string[] {
  return [...Deno.readDirSync(join(directory, prefix))]
    .toSorted((a, b) => a.name < b.name ? -1 : 1)
    .flatMap(({ name, isDirectory, isFile }) => {
      const path = prefix === "" ? name : `${prefix}/${name}`;
      if (isDirectory) return name === "node_modules" ? [] : filesBelow(directory, path);
      return isFile ? [path] : [];
    });
}
