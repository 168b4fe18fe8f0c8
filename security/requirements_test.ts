import assert from "node:assert/strict";
import { pyprojectRequirements, requirementLines } from "./requirements.ts";

Deno.test("a requirements.txt gives its requirements without comments and hashes", () => {
  const text = "# about\npolars >= 1.0  # fast\r\n\nxlrd==2.0.1 \\\n  --hash=sha256:ab\nodd#name\n";
  assert.deepEqual(requirementLines(text), ["polars >= 1.0", "xlrd==2.0.1", "odd#name"]);
});

Deno.test("an option in a requirements.txt is refused with its line", () => {
  assert.throws(() => requirementLines("polars\n-r other.txt\n"), /line 2 .*got -r other.txt/);
});

Deno.test("a pyproject.toml gives the dependencies of [project] only", () => {
  const text = `[build-system]
dependencies = ["not-this"]

[project]
name = "x"
authors = [{ name = "me" }]
requires-python = ">=3.11"
dependencies = [
  "polars>=1", # fast
  'xlrd',
]

[tool.other]
dependencies = ["nor-this"]
`;
  assert.deepEqual(pyprojectRequirements(text), {
    requirements: ["polars>=1", "xlrd"],
    python: ">=3.11",
  });
  assert.deepEqual(pyprojectRequirements("[tool.black]\n"), {});
  assert.deepEqual(pyprojectRequirements('[project]\nname = "x"'), {});
});

Deno.test("dependencies that are no list of strings are refused", () => {
  assert.throws(() => pyprojectRequirements("[project]\ndependencies = 3\n"), /pyproject.toml/);
});
