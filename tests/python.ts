import { fileURLToPath } from "node:url";

const PACKAGES = ["pyarrow", "pandas"];
const CACHE = fileURLToPath(new URL("../node_modules/.cache/", import.meta.url));

/**
 * A Python with pyarrow and pandas for tests, made once and kept in node_modules/.cache.
 * @returns The interpreter's absolute path; CASPARIAN_TEST_PYTHON where that is set.
 * @throws {Error} If no environment can be made, with what Python or pip said.
 */
export async function testPython(): Promise<string> {
  const given = Deno.env.get("CASPARIAN_TEST_PYTHON");
  if (given) return given;
  await Deno.mkdir(CACHE, { recursive: true });
  using lock = await Deno.open(`${CACHE}/casparian-test-python.lock`, {
    create: true,
    write: true,
  });
  await lock.lock(true); // two test runs at once build it once; the lock goes with the file
  const folder = `${CACHE}casparian-test-python`;
  if (!await isComplete(folder)) await build(folder);
  return `${folder}/bin/python`;
}

/** Written last: an environment that a Ctrl-C cut short has none. */
function isComplete(folder: string): Promise<boolean> {
  return Deno.stat(`${folder}/complete`).then(() => true, () => false);
}

async function build(folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await run("python3", "-m", "venv", folder);
  await run(`${folder}/bin/python`, "-m", "pip", "install", "--quiet", ...PACKAGES);
  await Deno.writeTextFile(`${folder}/complete`, "");
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  if (success) return;
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  throw new Error(`Cannot make a Python for tests as ${command} ${args.join(" ")} failed: ${said}`);
}
