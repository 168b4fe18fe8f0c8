/** A folder of wheels, as a site without a package index has: what every plugin's environment holds. */
import { join } from "node:path";
import { findHostPython } from "../../../worker/host_python.ts";
import { PROJECT, testEnvironment } from "../../../worker/test_tools.ts";

/** Kept between runs of the tests, as it is 50 MB. */
const WHEELS = join(PROJECT, "node_modules", ".cache", "casparian-test-wheels");

/** @throws {Error} If pip cannot fetch them. */
export async function wheelFolder(): Promise<string> {
  const environment = await testEnvironment();
  const python = await findHostPython(environment);
  const folder = `${WHEELS}-${python.version}`;
  if (await Deno.stat(folder).catch(() => null)) return folder;
  const aside = await Deno.makeTempDir({ dir: join(PROJECT, "node_modules"), prefix: ".wheels-" });
  const options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--dest", aside];
  const { success, stderr } = await new Deno.Command(python.path, {
    args: ["-m", "pip", "download", ...options, "pyarrow"],
    env: environment,
  }).output();
  if (!success) throw new Error(`Cannot fetch wheels: ${new TextDecoder().decode(stderr)}`);
  await Deno.chmod(aside, 0o755);
  await Deno.mkdir(join(folder, ".."), { recursive: true });
  await Deno.rename(aside, folder);
  return folder;
}
