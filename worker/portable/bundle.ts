/** `casparian bundle`: a folder, and an archive of it, that need nothing on their host but Python. */
import { join, resolve } from "node:path";
import { CliError } from "../../protocol/exit_codes.ts";
import type { CliIo } from "../../protocol/ports.ts";
import { findHostPython } from "../host_python.ts";
import type { ProcessEnvironment } from "../launcher.ts";
import { fetchUv, UV_VERSION } from "../uv.ts";
import { bundleTree, PROJECT } from "./bundle_tree.ts";
import { writeBundle, type Written } from "./bundle_writer.ts";

export interface BundleOptions {
  readonly only?: "worker";
  readonly to?: string;
  readonly withUv?: boolean;
  readonly json?: boolean;
}

/** @throws {CliError} If something that it needs is missing, or the folder cannot be written. */
export async function bundle(
  options: BundleOptions,
  io: CliIo,
  environment: ProcessEnvironment,
): Promise<void> {
  const to = options.to === undefined ? join(PROJECT, "dist") : resolve(io.cwd, options.to);
  const uvFolder = join(to, `uv-${UV_VERSION}.building`);
  try {
    if (options.withUv) {
      await fetchUv(uvFolder, await findHostPython(environment), environment, io.stderr);
    }
    const uv = options.withUv ? { path: join(uvFolder, "bin", "uv"), version: UV_VERSION } : null;
    const tree = bundleTree(options.only ?? "whole", Deno.execPath(), uv);
    const written = await writeBundle(tree, to);
    if (options.json) io.stdout(JSON.stringify(written, null, 2));
    else writtenLines(written).forEach((line) => io.stdout(line));
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(`Cannot make a bundle in ${to}: ${(error as Error).message}`, undefined, {
      cause: error,
    });
  } finally {
    await Deno.remove(uvFolder, { recursive: true }).catch(() => {});
  }
}

function writtenLines(written: Written): string[] {
  return [
    `made ${written.folder}: ${written.files} files, ${mib(written.folderBytes)}`,
    `made ${written.archive}: ${mib(written.archiveBytes)}, SHA-256 ${written.archiveHash}`,
    "on a host with Python 3.10 or newer: unpack it, then run ./casparian in it",
  ];
}

const mib = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
