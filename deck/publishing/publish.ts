/** Publishes one plugin and waits until the sentinel has made up its mind. */
import type { ControlClient } from "../../protocol/control.ts";
import { CliError } from "../../protocol/exit_codes.ts";
import type { Plugin } from "../../protocol/records.ts";
import { readPluginFile } from "../../security/plugin_file.ts";

export interface Publishing {
  /** Lock the dependencies afresh. */
  readonly upgrade?: boolean;
  /** Don't wait: what is returned may still be PENDING. */
  readonly wait: boolean;
  /** Told what the plugin waits for, whenever that changes. */
  onProgress(text: string): void;
}

const POLL_MS = 200;

/**
 * @param path Of the Python file, absolute.
 * @throws {CliError} If the file can't be read, or its dependencies were rejected.
 * @throws {ControlError} If the sentinel refuses the plugin; the text names the line.
 */
export async function publishPlugin(
  client: ControlClient,
  path: string,
  publishing: Publishing,
): Promise<Plugin> {
  const file = await readPluginFile(path);
  const upgrade = publishing.upgrade ?? false;
  const { plugin_id } = await client.call("plugins.publish", { ...file, upgrade });
  for (;;) {
    const plugin = await findPlugin(client, plugin_id);
    if (plugin.status === "REJECTED") throw rejection(path, plugin);
    const undecided = plugin.status === "PENDING" || plugin.status === "STAGING";
    if (!undecided || !publishing.wait) return plugin;
    publishing.onProgress(`${plugin.name}@${plugin.version}: ${plugin.reason ?? "being prepared"}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function findPlugin(client: ControlClient, id: number): Promise<Plugin> {
  const { source_code: _, manifest: __, ...plugin } = await client.call("plugins.get", {
    plugin_id: id,
  });
  return plugin;
}

function rejection(path: string, plugin: Plugin): CliError {
  return new CliError(
    `Cannot activate ${path} as ${plugin.name}@${plugin.version} was rejected: ${plugin.reason}`,
  );
}
