import { EnvironmentError } from "./environment_error.ts";
import { findProgram, type ProcessEnvironment, runToEnd } from "./launcher.ts";

/** The Python that this host has, and what a process needs to see to run it. */
export interface HostPython {
  /** The interpreter itself, not a pyenv shim or a wrapper around it. */
  readonly path: string;
  /** "3.11.7". */
  readonly version: string;
  /** Folders of the interpreter and its packages. */
  readonly prefixes: readonly string[];
}

/** The oldest Python that today's pandas and pyarrow are made for. */
const VERSION_MIN = [3, 10] as const;

const ASK = `import json, platform, sys
print(json.dumps([sys.executable, platform.python_version(), sys.prefix, sys.base_prefix]))`;

const ASK_LIMIT_MS = 30_000;

/**
 * Asks `CASPARIAN_PYTHON`, else `python3` on the PATH, who it is.
 * @throws {EnvironmentError} If there is none, or it is too old.
 */
export async function findHostPython(environment: ProcessEnvironment): Promise<HostPython> {
  const found = environment.CASPARIAN_PYTHON ?? await findProgram("python3");
  if (found === null) {
    throw new EnvironmentError(
      "Cannot run plugins as python3 must be on the PATH: it is not. " +
        "Install Python 3.10 or newer, or name one in CASPARIAN_PYTHON",
    );
  }
  const python = await describePython(found, environment);
  if (isOlder(python.version)) {
    throw new EnvironmentError(
      `Cannot run plugins as Python must be ${VERSION_MIN.join(".")} or newer: ${python.path} is ` +
        `${python.version}. Name a newer one in CASPARIAN_PYTHON`,
    );
  }
  return python;
}

/** @throws {EnvironmentError} If it does not run. */
export async function describePython(
  path: string,
  environment: ProcessEnvironment,
): Promise<HostPython> {
  const asked = await runToEnd([path, "-I", "-c", ASK], { environment, limitMs: ASK_LIMIT_MS });
  if (!asked.success) {
    const said = asked.stderr.trim().split("\n").at(-1) || `it ended with code ${asked.code}`;
    throw new EnvironmentError(
      `Cannot use ${path} as it must run as a Python interpreter: ${said}`,
    );
  }
  const [executable, version, ...prefixes] = JSON.parse(asked.stdout) as [string, string, string];
  return { path: executable, version, prefixes: [...new Set(prefixes)] };
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1]);
}
