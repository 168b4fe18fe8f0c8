/**
 * The shell scripts that start casparian from any folder [pure]: one for an installation that stays where
 * it is, one for a bundle that may be unpacked anywhere. Both run the command of deno.json's task
 * `casparian`, so the front door has the same permissions however it is opened.
 */

/** Tells our launcher from another program of that name. */
export const SIGNATURE = "Written by `casparian install`";

/**
 * @param project Absolute.
 * @param task The command of deno.json's task `casparian`, with paths relative to the project.
 * @param deno What `npx` is to fetch where there is no Deno.
 */
export function installedLauncher(project: string, task: string, deno: string): string {
  return `#!/bin/sh
# ${SIGNATURE}: runs casparian from any folder. Remove it to uninstall.
PROJECT=${quoted(project)}
${argumentLines(task)}
if command -v deno >/dev/null; then exec deno "$@"; fi
exec npx -y deno@${deno} "$@"
`;
}

/** @param bundle Absolute; its own launcher does the rest. */
export function linkLauncher(bundle: string): string {
  return `#!/bin/sh
# ${SIGNATURE}: runs the casparian of a bundle. Remove it to uninstall.
exec ${quoted(`${bundle}/casparian`)} "$@"
`;
}

/** Of a bundle: its own Deno, no network, nothing written beside it, no home needed. */
export function portableLauncher(task: string): string {
  return `#!/bin/sh
# Runs casparian with the Deno and the packages of this folder, wherever it was unpacked or linked from.
set -eu
self=$0
while [ -L "$self" ]; do
  link=$(readlink "$self")
  case $link in
    /*) self=$link ;;
    *) self=$(dirname "$self")/$link ;;
  esac
done
PROJECT=$(CDPATH= cd "$(dirname "$self")" && pwd -P)
RUN=--allow-run=$PROJECT/bin/deno
case $RUN in *,*) RUN=--allow-run ;; esac
${argumentLines(task.replace(/ --allow-run(?= )/, ` "$RUN"`))}
# Deno keeps nothing: no cache that another user or a read-only disk would stand in the way of.
DENO_DIR=/dev/null/deno DENO_EMIT_CACHE_MODE=disable DENO_NO_UPDATE_CHECK=1 DENO_NO_PACKAGE_JSON=1
export DENO_DIR DENO_EMIT_CACHE_MODE DENO_NO_UPDATE_CHECK DENO_NO_PACKAGE_JSON
if [ -z "\${CASPARIAN_UV:-}" ] && [ -x "$PROJECT"/bin/uv ]; then
  CASPARIAN_UV=$PROJECT/bin/uv
  export CASPARIAN_UV
fi
exec "$PROJECT"/bin/deno "$@"
`;
}

/** Shell lines that make "$@" what Deno is to be given, with the user's own arguments at the end. */
function argumentLines(task: string): string {
  const flags = task.replace(/^deno run /, "").replace(/ casparian\.ts$/, "")
    .replace(/--allow-ffi=(\S+)/, `--allow-ffi="$FFI"`);
  const ffi = /--allow-ffi=(\S+)/.exec(task)?.[1] ?? "";
  return `INIT_CWD=$PWD
export INIT_CWD
FFI=$PROJECT/${ffi}
while case $FFI in *,*) true ;; *) false ;; esac; do FFI=\${FFI%/*}; done # a list splits at commas
set -- run ${flags} --config="$PROJECT"/deno.json "$PROJECT"/casparian.ts "$@"`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
