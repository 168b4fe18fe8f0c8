/** Environments, as the session's messages ask for them: made ready, locked, and found again by hash. */
import { SYSTEM_ENVIRONMENT } from "../protocol/ids.ts";
import type { MessageBody } from "../protocol/messages.ts";
import type { Logger } from "../protocol/ports.ts";
import { readScriptBlock } from "../security/pep723.ts";
import { bounded } from "./conclusions.ts";
import type { Environments, PreparedEnvironment } from "./environments.ts";

/** Environments beyond this are removed, the longest unused first; those in use here never are. */
const ENVIRONMENTS_BYTES_MAX = 20 * 1024 ** 3;

export class Preparations {
  /** Ready environments: the path of each one's Python by hash. */
  readonly #ready = new Map<string, string>();
  readonly #folders = new Map<string, readonly string[]>();

  constructor(
    private readonly environments: Environments,
    private readonly logger: Logger,
  ) {}

  /** The path of a ready environment's Python; none if it was not prepared since this start. */
  async interpreterOf(envHash: string): Promise<string | undefined> {
    const ready = this.#ready.get(envHash);
    if (ready !== undefined || envHash !== SYSTEM_ENVIRONMENT) return ready;
    await this.#makeReady({ envHash, lockfileContent: "" });
    return this.#ready.get(envHash);
  }

  /** The ready environments that these interpreters are of. */
  hashesOf(interpreterPaths: readonly string[]): string[] {
    const paths = new Set(interpreterPaths);
    return [...this.#ready].filter(([, path]) => paths.has(path)).map(([envHash]) => envHash);
  }

  /** Folders that a process must see to run this interpreter. */
  foldersOf(interpreterPath: string): readonly string[] {
    return this.#folders.get(interpreterPath) ?? [];
  }

  /** Never rejects: a failure is the answer's `error`. */
  async prepare(body: MessageBody<"prepare_env">): Promise<MessageBody<"env_ready">> {
    const { env_hash, lockfile_content, python_version } = body;
    try {
      const { interpreterPath, cached } = await this.#makeReady({
        envHash: env_hash,
        lockfileContent: lockfile_content,
        ...(python_version === undefined ? {} : { pythonVersion: python_version }),
      });
      if (!cached) await this.#makeRoom();
      return { env_hash, interpreter_path: interpreterPath, cached, ...await this.#size(env_hash) };
    } catch (error) {
      const message = messageOf(error);
      this.logger.log("error", `Could not prepare environment ${env_hash}: ${message}`);
      return { env_hash, interpreter_path: "", error: bounded(message) };
    }
  }

  async #makeReady(
    request: Parameters<Environments["prepare"]>[0],
  ): Promise<PreparedEnvironment> {
    const onLine = (line: string) => this.logger.log("info", line);
    const prepared = await this.environments.prepare(request, onLine);
    this.#ready.set(request.envHash, prepared.interpreterPath);
    this.#folders.set(prepared.interpreterPath, prepared.folders);
    return prepared;
  }

  async #makeRoom(): Promise<void> {
    const inUse = new Set(this.#ready.keys());
    const removed = await this.environments.collect(ENVIRONMENTS_BYTES_MAX, inUse);
    for (const hash of removed) this.logger.log("info", `Removed unused environment ${hash}`);
  }

  async #size(envHash: string): Promise<{ bytes?: number }> {
    const listed = await this.environments.list();
    const bytes = listed.find((environment) => environment.envHash === envHash)?.bytes;
    return bytes === undefined ? {} : { bytes };
  }

  /** Never rejects: a failure is the answer's `error`. */
  async resolve(body: MessageBody<"resolve">): Promise<MessageBody<"resolved">> {
    try {
      const script = readScriptBlock(body.source_code ?? "");
      const { lockfileContent, envHash } = await this.environments.resolve({
        requirements: body.requirements ?? script?.requirements ?? [],
        ...(body.python_version === undefined ? {} : { pythonVersion: body.python_version }),
      }, (line) => this.logger.log("info", line));
      return { id: body.id, lockfile_content: lockfileContent, env_hash: envHash };
    } catch (error) {
      return { id: body.id, error: bounded(messageOf(error)) };
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : `${error}`;
}
