/**
 * The dependencies that a script declares in its own comments (PEP 723):
 *
 *     # /// script
 *     # requires-python = ">=3.11"
 *     # dependencies = ["openpyxl>=3.1", "polars"]
 *     # ///
 *
 * The block is TOML. Only these two keys have a meaning here, so only they, as strings and lists of strings,
 * are read; anything else is refused rather than ignored, but for the tables of other tools.
 */
import { PYTHON_VERSION_PATTERN } from "../protocol/manifest.ts";
import { ManifestError } from "./manifest_error.ts";
import { TomlReader } from "./toml_reader.ts";

export interface ScriptBlock {
  /** PEP 508 requirements, as written; may be empty. */
  requirements: string[];
  requiresPython: string | null;
}

const REQUIREMENTS_MAX = 1000;
/** Starts with a name, so that no requirement is taken for an option of an installer (`-r`, `--index-url`). */
const REQUIREMENT = /^[A-Za-z0-9][A-Za-z0-9._-]*\s*([[(<>=!~;@].*)?$/;

/**
 * @param text Python source with Unix line ends.
 * @returns `null` if the source has no such block.
 * @throws {ManifestError} If there are two blocks, one has no end, or one holds anything unexpected.
 */
export function readScriptBlock(text: string): ScriptBlock | null {
  const lines = text.split("\n");
  const starts = lines.flatMap((line, index) => /^# \/\/\/ script\s*$/.test(line) ? [index] : []);
  const [start, second] = starts;
  if (start === undefined) return null;
  if (second !== undefined) {
    throw errorInLine(
      second,
      `Cannot use a second "# /// script" block: the first is in line ${start + 1}`,
    );
  }
  return readBlock(contentOf(lines, start), start + 1);
}

/** The comment's lines without their "# "; the block ends at the last "# ///" of the comment. */
function contentOf(lines: readonly string[], start: number): string[] {
  const after = lines.slice(start + 1);
  const commentEnd = after.findIndex((line) => !/^#( .*)?$/.test(line));
  const comment = commentEnd < 0 ? after : after.slice(0, commentEnd);
  const end = comment.findLastIndex((line) => /^# \/\/\/\s*$/.test(line));
  if (end < 0) {
    throw errorInLine(
      start,
      'Cannot find the end of the "# /// script" block: close it with a line "# ///", and start each line with "# "',
    );
  }
  return comment.slice(0, end).map((line) => line.slice(2));
}

function readBlock(content: readonly string[], firstLine: number): ScriptBlock {
  const block: ScriptBlock = { requirements: [], requiresPython: null };
  const seen = new Set<string>();
  const toml = new TomlReader(
    content.join("\n"),
    (line, problem) => errorInLine(firstLine + line, problem),
  );
  for (let key = toml.nextKey(); key !== null; key = toml.nextKey()) {
    if (seen.has(key)) toml.refuse(`Cannot use the key ${key} twice`);
    seen.add(key);
    if (key === "dependencies") block.requirements = readRequirements(toml);
    else if (key === "requires-python") block.requiresPython = readRequiresPython(toml);
    else {toml.refuse(
        `Cannot use the key ${key}: only dependencies and requires-python have a meaning`,
      );}
  }
  for (const table of toml.tables()) {
    if (/^tool(\.|$)/.test(table) && !/^tool\.uv(\.|$)/.test(table)) continue;
    toml.refuse(
      `Cannot use the table [${table}]: only dependencies and requires-python have a meaning`,
    );
  }
  return block;
}

function readRequirements(toml: TomlReader): string[] {
  const requirements = toml.readStrings();
  const wrong = requirements.find((requirement) => !REQUIREMENT.test(requirement));
  if (wrong !== undefined) {
    toml.refuse(
      `Cannot use ${
        JSON.stringify(wrong)
      } as a dependency: write a name, then a version such as "polars>=1.0"`,
    );
  }
  if (requirements.length > REQUIREMENTS_MAX) {
    toml.refuse(
      `Cannot use more than ${REQUIREMENTS_MAX} dependencies: got ${requirements.length}`,
    );
  }
  return requirements;
}

function readRequiresPython(toml: TomlReader): string {
  const version = toml.readString();
  if (!PYTHON_VERSION_PATTERN.test(version)) {
    toml.refuse(
      `Cannot use ${JSON.stringify(version)} as requires-python: write a version such as ">=3.11"`,
    );
  }
  return version;
}

function errorInLine(lineIndex: number, problem: string): ManifestError {
  return new ManifestError(problem, { line: lineIndex + 1, column: 1 });
}
