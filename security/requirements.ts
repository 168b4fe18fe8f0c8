/** Dependencies from the two files that Python projects keep them in. */
import { CliError } from "../protocol/exit_codes.ts";
import { TomlReader } from "./toml_reader.ts";

/**
 * The requirements in a requirements.txt, without comments and hashes.
 * @throws {CliError} If a line is an option of pip's (`-r`, `--index-url`), which would be lost.
 */
export function requirementLines(text: string): string[] {
  return text.replaceAll(/\\\r?\n/g, " ").split(/\r?\n/).flatMap((line, index) => {
    const requirement = line.replace(/(^|\s)#.*$/, "").replaceAll(/\s--hash=\S+/g, "").trim();
    if (!requirement.startsWith("-")) return requirement === "" ? [] : [requirement];
    throw new CliError(
      `Cannot use line ${index + 1} of requirements.txt as it must be a requirement such as ` +
        `"polars>=1.0", and no option: got ${requirement}`,
    );
  });
}

/**
 * `dependencies` and `requires-python` of the table [project] in a pyproject.toml.
 * @throws {CliError} If they are not a list of strings and a string.
 */
export function pyprojectRequirements(text: string): { requirements?: string[]; python?: string } {
  const [, project] = /^\[project\][ \t]*\r?\n([^]*?)(?=^\[|(?![^]))/m.exec(text) ?? [];
  if (project === undefined) return {};
  const requirements = valueOf(project, "dependencies", (reader) => reader.readStrings());
  const python = valueOf(project, "requires-python", (reader) => reader.readString());
  return { ...requirements && { requirements }, ...python && { python } };
}

function valueOf<T>(table: string, key: string, read: (reader: TomlReader) => T): T | undefined {
  const at = table.search(new RegExp(`^${key}[ \t]*=`, "m"));
  if (at < 0) return undefined;
  const reader = new TomlReader(
    table.slice(at).replaceAll("\r\n", "\n"),
    (_, problem) => new CliError(`Cannot read ${key} of pyproject.toml: ${problem}`),
  );
  reader.nextKey();
  return read(reader);
}
