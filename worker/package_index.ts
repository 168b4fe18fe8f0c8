import { type ProcessEnvironment, runToEnd } from "./launcher.ts";

/**
 * Where packages come from. Many sites have told pip about their own index, certificate or proxy and
 * uv does not read pip's settings, so they are handed to uv under its own names, unless the user has
 * set those: what pip can install here, uv can.
 */
interface Translation {
  readonly name: string;
  readonly separator: string;
}

const TRANSLATIONS: Readonly<Record<string, Translation>> = {
  "index-url": { name: "UV_DEFAULT_INDEX", separator: " " },
  "extra-index-url": { name: "UV_INDEX", separator: " " },
  "find-links": { name: "UV_FIND_LINKS", separator: "," },
  "trusted-host": { name: "UV_INSECURE_HOST", separator: " " },
  "no-index": { name: "UV_NO_INDEX", separator: " " },
  "cert": { name: "SSL_CERT_FILE", separator: " " },
  "proxy": { name: "ALL_PROXY", separator: " " },
};

/** Older names of uv's own, which say as well that the user has decided. */
const OLDER_NAMES: Readonly<Record<string, string>> = {
  UV_DEFAULT_INDEX: "UV_INDEX_URL",
  UV_INDEX: "UV_EXTRA_INDEX_URL",
};

/** Sections that bear on installing, from the weakest to the strongest. */
const SECTIONS = ["global", "download", "install", ":env:"];

const PIP_LIMIT_MS = 30_000;

/** The variables that give uv what pip's settings say; none where there is no pip. */
export async function packageIndexVariables(
  pythonPath: string,
  environment: ProcessEnvironment,
): Promise<Record<string, string>> {
  const argv = [pythonPath, "-m", "pip", "--disable-pip-version-check", "config", "list"];
  const asked = await runToEnd(argv, { environment, limitMs: PIP_LIMIT_MS });
  return asked.success ? translatePipSettings(asked.stdout, environment) : {};
}

/** @param listed What `pip config list` prints: lines like `global.index-url='…'`. */
export function translatePipSettings(
  listed: string,
  environment: ProcessEnvironment,
): Record<string, string> {
  const settings = readPipSettings(listed);
  const variables: Record<string, string> = {};
  for (const [key, { name, separator }] of Object.entries(TRANSLATIONS)) {
    const values = settings.get(key);
    const decided = environment[name] ?? environment[OLDER_NAMES[name] ?? ""];
    if (values !== undefined && decided === undefined) variables[name] = values.join(separator);
  }
  return variables;
}

function readPipSettings(listed: string): Map<string, string[]> {
  const settings = new Map<string, string[]>();
  for (const section of SECTIONS) {
    for (const line of listed.split("\n")) {
      const [, key = "", quoted = ""] = /\.([a-z-]+)=(.*)$/.exec(line) ?? [];
      if (line.startsWith(`${section}.`)) settings.set(key, unquote(quoted).split(/\s+/));
    }
  }
  return settings;
}

/** Python's `repr` of a string; several values stand on lines of their own. */
function unquote(quoted: string): string {
  return quoted.slice(1, -1).replaceAll("\\n", "\n").replace(/\\(.)/g, "$1").trim();
}
