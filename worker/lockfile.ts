/**
 * Lockfiles: what an environment holds, to the byte. [pure]
 *
 * Our own is a text in the form of pip's requirements, made by `uv pip compile --universal`: every
 * package pinned, every file by hash, for every platform, and no index named, so that it fits each
 * host and each mirror. A first comment tells the oldest Python it was made for. A `uv.lock`, of a
 * project or a script, and a `pylock.toml` are taken too. All are known by their text alone.
 *
 * A lockfile comes from outside. What goes on to uv holds nothing but pinned packages with hashes:
 * options, URLs, paths and repositories are refused here.
 */
import { EnvironmentError } from "./environment_error.ts";

export type Lockfile =
  | { readonly kind: "requirements"; readonly text: string; readonly python: string | undefined }
  | { readonly kind: "pylock"; readonly text: string; readonly python: string | undefined }
  | {
    readonly kind: "uv.lock";
    readonly python: string | undefined;
    /** Files by name to lay down for `uv export` with {@linkcode exportArgs}. */
    readonly files: Readonly<Record<string, string>>;
    readonly exportArgs: readonly string[];
  };

const HEADER = /^# casparian-lock 1 python>=(\d+\.\d+)$/m;
const PINNED = new RegExp(
  [
    /^[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._,\s-]*\])?/, // name and extras
    /\s*===?\s*[^\s;#]+/, // version
    /(\s*;((?!--)[^#])*)?/, // marker
    /(\s+--hash=sha(256|384|512):[0-9a-f]+)+$/,
  ].map((part) => part.source).join(""),
);
const REQUIREMENT =
  /^[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[A-Za-z0-9._,\s-]*\])?\s*([=<>!~(;][^@\n]*)?$/;

/** What the shim itself imports. */
const ALWAYS = "pyarrow";

/** @throws {EnvironmentError} If the text is no lockfile that is accepted. */
export function readLockfile(content: string): Lockfile {
  const text = content.replaceAll("\r\n", "\n");
  const lockfile = readUvLock(text) ?? readPylock(text) ?? readRequirements(text);
  if (!new RegExp(`^(name = "${ALWAYS}"|${ALWAYS}==)`, "m").test(text)) {
    throw new EnvironmentError(
      `Cannot use a lockfile as it must hold ${ALWAYS}, which brings a plugin's rows to the worker: ` +
        `it does not. Add ${ALWAYS} to the dependencies and lock again`,
    );
  }
  return lockfile;
}

/**
 * Our own lockfile's text.
 * @param compiled What `uv pip compile` printed.
 * @param python Oldest Python it was compiled for: "3.11".
 */
export function composeLockfile(compiled: string, python: string): string {
  return `# casparian-lock 1 python>=${python}\n${compiled}`;
}

/**
 * The requirements to lock: what was asked for, and pyarrow.
 * @throws {EnvironmentError} If one is not a name with versions, but a URL, a path or an option.
 */
export function requirementsText(requirements: readonly string[]): string {
  for (const requirement of requirements) {
    if (!REQUIREMENT.test(requirement.trim())) {
      throw new EnvironmentError(
        `Cannot lock a dependency as it must be a package's name with versions, like pandas>=2: ` +
          `got ${JSON.stringify(requirement)}`,
      );
    }
  }
  return [...requirements.map((requirement) => requirement.trim()), ALWAYS, ""].join("\n");
}

/** The oldest Python that a request like "3.11", ">=3.10,<3.13" or "~=3.12" lets in, as "3.11". */
export function oldestPython(request: string | undefined): string | undefined {
  return /(?:^|[^<!\d.])\s*(\d+\.\d+)/.exec(request ?? "")?.[1];
}

function readRequirements(text: string): Lockfile {
  const lines = text.replaceAll("\\\n", " ").split("\n").map((line) => line.trim());
  const wrong = lines.find((line) => line !== "" && !line.startsWith("#") && !PINNED.test(line));
  if (wrong !== undefined || lines.every((line) => line === "" || line.startsWith("#"))) {
    throw new EnvironmentError(
      "Cannot use a lockfile as it must be casparian's own, a uv.lock, a pylock.toml, or " +
        "requirements that are all pinned with --hash: " +
        (wrong === undefined ? "it names no package" : `got the line ${quote(wrong)}`),
    );
  }
  const oldest = HEADER.exec(text)?.[1];
  return { kind: "requirements", text, python: oldest === undefined ? undefined : `>=${oldest}` };
}

function readUvLock(text: string): Lockfile | undefined {
  if (!/^version = \d+$/m.test(text) || !/^\[\[package\]\]$/m.test(text)) return undefined;
  const python = requiresPython(text);
  const exportArgs = ["export", "--frozen", "--offline", "--no-header", "--no-annotate"];
  const project = OWN_PACKAGE.exec(text)?.[1];
  if (project === undefined) {
    const header = `# /// script\n# requires-python = ${toml(python ?? ">=3.8")}\n# ///\n`;
    const files = { "plugin.py": header, "plugin.py.lock": text };
    return { kind: "uv.lock", python, files, exportArgs: [...exportArgs, "--script", "plugin.py"] };
  }
  // A workspace of its own: else uv would look for one in the folders above.
  const pyproject = `[project]\nname = ${toml(project)}\nversion = "0"\n` +
    `requires-python = ${toml(python ?? ">=3.8")}\n\n[tool.uv.workspace]\n`;
  const files = { "pyproject.toml": pyproject, "uv.lock": text };
  return {
    kind: "uv.lock",
    python,
    files,
    exportArgs: [...exportArgs, "--no-emit-project", "--no-dev"],
  };
}

/** The project among its own packages; a script's lock has none. */
const OWN_PACKAGE =
  /^\[\[package\]\]\nname = "([A-Za-z0-9._-]+)"\n(?:version = .*\n)?source = \{ (?:virtual|editable) = "\." \}$/m;

function readPylock(text: string): Lockfile | undefined {
  if (!/^lock-version = "1/m.test(text)) return undefined;
  const local = /^.*(?:\b(?:vcs|directory|archive)\s*(?:=|\])|\bpath\s*=|\bfile:).*$/m.exec(text)
    ?.[0];
  if (local !== undefined) {
    throw new EnvironmentError(
      "Cannot use a pylock.toml as its packages must come from an index, not from a path or a " +
        `repository: got the line ${quote(local)}`,
    );
  }
  return { kind: "pylock", text, python: requiresPython(text) };
}

function requiresPython(text: string): string | undefined {
  return /^requires-python = "([^"\\]+)"$/m.exec(text)?.[1];
}

const toml = (text: string) => JSON.stringify(text);

const quote = (line: string) => JSON.stringify(line.length > 120 ? `${line.slice(0, 120)}…` : line);
