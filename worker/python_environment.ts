/** What uv, pip and Python see of this process's environment: named one by one, for it may hold secrets. */

const NAMES = [
  ...["PATH", "HOME", "USER", "LANG", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_BIN_HOME"],
  ...["CASPARIAN_PYTHON", "CASPARIAN_UV"],
  ...["PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_CERT"],
  ...["PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_PROXY", "PIP_CLIENT_CERT", "PIP_CACHE_DIR"],
  ...["UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"],
  ...["UV_NO_INDEX", "UV_INSECURE_HOST", "UV_NATIVE_TLS", "UV_OFFLINE", "UV_CONFIG_FILE"],
  ...["UV_CACHE_DIR", "UV_HTTP_TIMEOUT", "UV_KEYRING_PROVIDER", "UV_PYTHON_INSTALL_MIRROR"],
  ...["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"],
  ...["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"],
  ...["http_proxy", "https_proxy", "all_proxy", "no_proxy"],
];

/** @param get Value of a variable; may refuse one that this program was not allowed to read. */
export function pythonEnvironment(
  get: (name: string) => string | undefined,
): Record<string, string> {
  const entries = NAMES.map((name) => [name, readable(get, name)]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

function readable(
  get: (name: string) => string | undefined,
  name: string,
): string | undefined {
  try {
    return get(name);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}
