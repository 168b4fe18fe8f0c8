/** What a bundle consists of, file by file: where each comes from, and what it is allowed to be. */
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import denoJson from "../../deno.json" with { type: "json" };
import { RELEASE } from "../../protocol/release.ts";
import { zeromqAddonCandidates } from "../../protocol/zeromq_library.ts";
import { portableLauncher } from "../../security/launcher_script.ts";
import { filesBelow, packageFiles, type PackageFolder, packageFolders } from "./npm_packages.ts";
import { type ProjectReader, sourceFiles } from "./source_files.ts";

export type Part = "worker" | "whole";

export interface BundleFile {
  /** Relative to the bundle. */
  readonly path: string;
  readonly executable: boolean;
  readonly content: { readonly copyOf: string } | { readonly text: string };
}

export interface BundleTree {
  /** Of the folder, and of the archive without its suffix. */
  readonly name: string;
  readonly files: readonly BundleFile[];
  readonly manifest: Readonly<Record<string, unknown>>;
}

export const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
const SHARED_ROOMS = ["protocol", "security", "worker", "shim"] as const;
const ROOMS = { worker: SHARED_ROOMS, whole: [...SHARED_ROOMS, "sentinel", "deck", "demo"] };
/** This tool is for whoever has the project, not for whoever has a bundle. */
const NOT_SHIPPED = /^worker\/portable\//;
const DOCUMENTS = ["LICENSE", "SECURITY.md", "docs/deployment.md"];
const EXECUTABLE = /^worker\/launch\.sh$/;

/**
 * @param deno The Deno to take along; without one it is what a Deno of its own can run or compile.
 * @param uv A uv to take along.
 */
export function bundleTree(
  part: Part,
  deno: string | null,
  uv: { path: string; version: string } | null,
): BundleTree {
  const { os } = Deno.build;
  const cpu = Deno.build.arch === "aarch64" ? "arm64" : "x64";
  const { files, packages } = sourceFiles(
    projectReader,
    ROOMS[part],
    Object.keys(denoJson.imports),
  );
  const folders = packageFolders(join(PROJECT, "node_modules"), packages, { os, cpu });
  const binary = (name: string, path: string): BundleFile => (
    { path: `bin/${name}`, executable: true, content: { copyOf: path } }
  );
  return {
    name: `casparian${part === "worker" ? "-worker" : ""}-${RELEASE}-${os}-${cpu}`,
    files: [
      ...[...files, ...documents()].filter((path) => path !== "deno.json").map(ownFile),
      ...folders.flatMap(packageEntries),
      ...deno ? [binary("deno", deno)] : [],
      ...uv ? [binary("uv", uv.path)] : [],
      { path: "deno.json", executable: false, content: { text: configuration(packages) } },
      { path: "casparian", executable: true, content: { text: portableLauncher(TASK) } },
    ],
    manifest: {
      release: RELEASE,
      part,
      platform: `${os}-${cpu}`,
      deno: Deno.version.deno,
      uv: uv?.version ?? null,
      packages: Object.fromEntries(folders.map(({ name, version }) => [name, version])),
    },
  };
}

/** The task of deno.json, with libzmq where a bundle has it. */
const TASK = denoJson.tasks.casparian.replace(/(--allow-ffi=)\S+/, "$1node_modules/zeromq");

function configuration(packages: readonly string[]): string {
  const imports = Object.fromEntries(
    Object.entries(denoJson.imports).filter(([name]) => packages.includes(name)),
  );
  const { compilerOptions } = denoJson;
  const tasks = { casparian: TASK };
  const config = { nodeModulesDir: "manual", lock: false, tasks, imports, compilerOptions };
  return JSON.stringify(config, null, 2) + "\n";
}

function ownFile(path: string): BundleFile {
  return { path, executable: EXECUTABLE.test(path), content: { copyOf: join(PROJECT, path) } };
}

function documents(): string[] {
  return [
    ...DOCUMENTS,
    ...filesBelow(join(PROJECT, "docs/deploy"), "").map((f) => `docs/deploy/${f}`),
  ];
}

function packageEntries(folder: PackageFolder): BundleFile[] {
  const addon = zeromqAddonCandidates()[0]!; // the others are for another libc than Deno's own
  const paths = packageFiles(folder);
  if (folder.name === "zeromq") paths.push(relative(folder.directory, addon));
  return paths.map((path) => ({
    path: join(folder.destination, path),
    executable: false,
    content: { copyOf: join(folder.directory, path) },
  }));
}

const projectReader: ProjectReader = {
  readText(path) {
    if (NOT_SHIPPED.test(path)) return null;
    try {
      return Deno.readTextFileSync(join(PROJECT, path));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    }
  },
  filesBelow: (folder) => filesBelow(join(PROJECT, folder)).map((path) => `${folder}/${path}`),
};
