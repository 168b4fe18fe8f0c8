import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { testPython } from "../tests/python.ts";

// Goal: the Python side has tests of its own, in Python; this is how `deno task test` runs them.
Deno.test("the shim passes its own tests", async () => {
  const suite = fileURLToPath(new URL("./test_bridge_shim.py", import.meta.url));
  const { code, stderr } = await new Deno.Command(await testPython(), {
    args: ["-W", "error::ResourceWarning", suite],
    stdin: "null",
    stdout: "inherit",
    stderr: "piped",
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
});
