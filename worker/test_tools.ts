import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findHostPython } from "./host_python.ts";
import { Uv } from "./uv.ts";

/** The folder of deno.json. */
export const PROJECT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Kept between runs of the tests: uv and the packages that they install are downloaded once. */
const TOOLS = join(PROJECT, "node_modules", ".cache", "casparian-test-tools");

/**
 * What a test hands to {@linkcode Environments} so that it needs no download of its own: the
 * process's environment, with a uv and a filled cache.
 */
export async function testEnvironment(): Promise<Record<string, string>> {
  await Deno.mkdir(TOOLS, { recursive: true });
  const environment = Deno.env.toObject();
  const uv = await Uv.open(TOOLS, await findHostPython(environment), environment);
  const cache = environment.UV_CACHE_DIR ?? join(TOOLS, "cache", "uv");
  return { ...environment, CASPARIAN_UV: uv.path, UV_CACHE_DIR: cache };
}
