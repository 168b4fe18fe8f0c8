/**
 * `deno task compile`: one file, `dist/casparian-worker`, that is a worker for a host without Deno.
 *
 * It unpacks itself on its first run, as launch.sh, the shim and libzmq must be real files. Paths are not
 * known when it is made, so its permissions cannot be narrowed to them, as `casparian worker` does.
 *
 *     deno task compile [--target aarch64-unknown-linux-gnu]
 */
import { fileURLToPath } from "node:url";

const PROJECT = fileURLToPath(new URL("..", import.meta.url));
const OUTPUT = "dist/casparian-worker";

const FLAGS = [
  ...["compile", "--quiet", "--no-prompt", "--self-extracting", "--output", OUTPUT],
  ...["--allow-read", "--allow-write", "--allow-run", "--allow-net", "--allow-env", "--allow-ffi"],
  ...["--allow-sys=hostname,statfs", "--include", "shim", "--include", "worker"],
  ...["--exclude", "node_modules/.deno/@duckdb*"],
];

const { success, stderr } = await new Deno.Command(Deno.execPath(), {
  args: [...FLAGS, ...Deno.args, "casparian.ts", "--in-place", "worker"],
  cwd: PROJECT,
  stderr: "piped",
}).output();
const said = new TextDecoder().decode(stderr).trim();

if (success) {
  console.log(`made ${OUTPUT}: copy it to a host and run it with --connect ADDRESS`);
} else {
  console.error(said);
  if (said.includes("denort")) {
    console.error(
      "\nCannot compile as Deno's runtime for programs (denort) must be downloaded, and could not " +
        "be: run this where Deno's downloads can be reached, or name a copy of it in DENORT_BIN.",
    );
  }
  Deno.exitCode = 1;
}
