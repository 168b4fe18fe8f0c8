/** Takes in new plugin versions: checked and read without running them, then stored to be staged. */
import { createHash } from "node:crypto";
import type { ParsedParams, Result } from "../protocol/control.ts";
import { ControlError } from "../protocol/control.ts";
import type { MessageBody } from "../protocol/messages.ts";
import type { Clock } from "../protocol/ports.ts";
import { ManifestError, type PluginManifest, readManifest } from "../security/manifest_reader.ts";
import { versionLabel } from "./core/plugin.ts";
import type { NewPlugin, Store } from "./store/store.ts";

/** What a plugin gets that names no dependencies. pyarrow carries every result, so it is always there. */
const DEFAULT_REQUIREMENTS = ["pandas", "pyarrow"];

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

type PublishParams = ParsedParams<"plugins.publish">;

export class Registry {
  constructor(readonly store: Store, readonly clock: Clock) {}

  /** @throws {ControlError} `invalid` if its manifest is: the message names line and remedy. */
  async publish(params: PublishParams): Promise<Result<"plugins.publish">> {
    const { source_code: source, file_name: fileName, publisher } = params;
    const read = manifestOf(source, fileName);
    const requirements = requirementsOf(read, params);
    const python = read.manifest.python ?? read.requiresPython ?? params.python ?? null;
    const lockfile = params.lockfile_content ??
      (params.upgrade ? null : await this.store.lockfileFor(requirements, python));
    if (params.lockfile_content !== undefined) {
      await this.store.saveLockfile({
        envHash: sha256(params.lockfile_content),
        lockfile: params.lockfile_content,
        requirements: [],
        python,
      });
    }
    return await this.#add(read, {
      name: read.manifest.name,
      version: read.manifest.version,
      sourceCode: source,
      lockfile,
      requirements,
      python,
      signature: "",
      publisher,
    });
  }

  /** A plain v4 publisher's DEPLOY, which brings its lockfile and its hashes. */
  async deploy(body: MessageBody<"deploy">): Promise<MessageBody<"ack">> {
    try {
      const { source_code: source, lockfile_content: lockfile } = body;
      checkHash("env_hash", "its lockfile", body.env_hash, sha256(lockfile));
      checkHash(
        "artifact_hash",
        "source and lockfile",
        body.artifact_hash,
        sha256(source + lockfile),
      );
      const read = manifestOf(source, `${body.plugin_name}.py`);
      const python = read.manifest.python ?? read.requiresPython ?? null;
      await this.store.saveLockfile({ envHash: body.env_hash, lockfile, requirements: [], python });
      const { plugin_id, unchanged } = await this.#add(read, {
        name: body.plugin_name,
        version: body.version,
        sourceCode: source,
        lockfile,
        requirements: [],
        python,
        signature: body.signature,
        publisher: body.publisher_name,
      });
      const message = unchanged ? "unchanged: it is active" : "accepted: its environment is built";
      return { success: true, message, plugin_id };
    } catch (error) {
      if (error instanceof ControlError) return { success: false, message: error.message };
      throw error;
    }
  }

  async #add(
    { manifest }: PluginManifest,
    plugin:
      & Pick<
        NewPlugin,
        "name" | "version" | "sourceCode" | "python" | "signature" | "publisher"
      >
      & { lockfile: string | null; requirements: readonly string[] },
  ): Promise<Result<"plugins.publish">> {
    const { lockfile, ...rest } = plugin;
    const nowMs = this.clock.nowMs();
    const artifactHash = lockfile === null ? null : sha256(plugin.sourceCode + lockfile);
    const { pluginId, fresh } = await this.store.addPlugin({
      ...rest,
      sourceHash: sha256(plugin.sourceCode),
      artifactHash,
      envHash: lockfile === null ? null : sha256(lockfile),
      patterns: manifest.pattern,
      topics: [...new Set([manifest.topic, ...Object.keys(manifest.topics ?? {})])],
      manifest,
      nowMs,
    });
    const known = fresh ? null : await this.store.plugin(pluginId);
    const unchanged = known?.status === "ACTIVE";
    // An older version, published again: the way back.
    if (known && !unchanged) await this.store.restagePlugin(pluginId);
    const version = versionLabel({ version: plugin.version, artifactHash });
    const detail = JSON.stringify({ plugin: plugin.name, version, plugin_id: pluginId, unchanged });
    await this.store.audit({ atMs: nowMs, who: plugin.publisher, action: "publish", detail });
    return { plugin_id: pluginId, name: plugin.name, version, unchanged };
  }
}

function manifestOf(source: string, fileName: string): PluginManifest {
  try {
    return readManifest(source, fileName);
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    throw new ControlError("invalid", `Cannot publish ${fileName}: ${error.message}`);
  }
}

/** Sorted, so that the same set is locked once: the file's own block, what stands beside it, or the default. */
function requirementsOf(read: PluginManifest, params: PublishParams): string[] {
  const named = read.requirements ?? params.requirements ?? DEFAULT_REQUIREMENTS;
  const withArrow = named.some((line) => /^pyarrow\b/i.test(line)) ? named : [...named, "pyarrow"];
  return [...new Set(withArrow.map((line) => line.trim()))].sort();
}

function checkHash(name: string, of: string, got: string, expected: string): void {
  if (got === expected) return;
  throw new ControlError(
    "invalid",
    `Cannot take this DEPLOY as ${name} must be the SHA-256 of ${of}, ${expected}: got ${got}`,
  );
}
