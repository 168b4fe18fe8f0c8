/**
 * Writes a bundle's folder and its archive. The same input gives the same bytes: files are sorted, their
 * times and modes are fixed, nothing tells who made them, when or where.
 */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { createTarPacker } from "modern-tar";
import type { BundleFile, BundleTree } from "./bundle_tree.ts";

/** 2000-01-01: some tools take the year 1970 for a mistake. */
const FILE_TIME = new Date(Date.UTC(2000, 0, 1));
const SUMS = "SHA256SUMS";
const MANIFEST = "manifest.json";

export interface Written {
  readonly folder: string;
  readonly archive: string;
  readonly files: number;
  readonly folderBytes: number;
  readonly archiveBytes: number;
  /** SHA-256 of the archive, hex. */
  readonly archiveHash: string;
}

interface StoredFile {
  readonly path: string;
  readonly mode: number;
  readonly bytes: number;
  readonly hash: string;
}

/**
 * Replaces an earlier bundle of that name, once the new one is whole.
 * @param to The folder for both; it is made.
 */
export async function writeBundle(tree: BundleTree, to: string): Promise<Written> {
  const folder = join(to, tree.name);
  const archive = `${folder}.tar.gz`;
  const [folderAside, archiveAside] = [`${folder}.building`, `${archive}.building`];
  await Deno.mkdir(to, { recursive: true });
  await removeAll(folderAside);
  try {
    const stored = await storeFiles(tree, folderAside);
    await writeArchive(tree.name, stored, folderAside, archiveAside);
    await removeAll(folder);
    await Deno.rename(folderAside, folder);
    await Deno.rename(archiveAside, archive);
    const archiveHash = await hashFile(archive);
    await Deno.writeTextFile(`${archive}.sha256`, `${archiveHash}  ${tree.name}.tar.gz\n`);
    const folderBytes = stored.reduce((sum, { bytes }) => sum + bytes, 0);
    const archiveBytes = (await Deno.stat(archive)).size;
    return { folder, archive, files: stored.length, folderBytes, archiveBytes, archiveHash };
  } finally {
    await removeAll(folderAside);
    await removeAll(archiveAside);
  }
}

/** Every file of the tree, and the two that tell of the others. */
export async function storeFiles(tree: BundleTree, folder: string): Promise<StoredFile[]> {
  const stored: StoredFile[] = [];
  const store = async (file: BundleFile) => void stored.push(await storeFile(file, folder));
  for (const file of tree.files.toSorted(byPath)) await store(file);
  await store(textFile(MANIFEST, JSON.stringify(tree.manifest, null, 2) + "\n"));
  const sums = stored.toSorted(byPath).map(({ path, hash }) => `${hash}  ${path}\n`);
  await store(textFile(SUMS, sums.join("")));
  return stored.toSorted(byPath);
}

function textFile(path: string, text: string): BundleFile {
  return { path, executable: false, content: { text } };
}

async function storeFile({ path, executable, content }: BundleFile, folder: string) {
  const target = join(folder, path);
  const mode = executable ? 0o755 : 0o644;
  await Deno.mkdir(dirname(target), { recursive: true });
  if ("text" in content) await Deno.writeTextFile(target, content.text);
  else await Deno.copyFile(content.copyOf, target);
  await Deno.chmod(target, mode);
  await Deno.utime(target, FILE_TIME, FILE_TIME);
  return { path, mode, bytes: (await Deno.stat(target)).size, hash: await hashFile(target) };
}

async function writeArchive(
  name: string,
  files: readonly StoredFile[],
  folder: string,
  archive: string,
): Promise<void> {
  const { readable, controller } = createTarPacker();
  const written = readable
    .pipeThrough(new CompressionStream("gzip"))
    .pipeTo((await Deno.create(archive)).writable);
  const fill = async () => {
    for (const { path, mode, bytes } of files) {
      const body = controller.add({ name: `${name}/${path}`, size: bytes, mode, mtime: FILE_TIME });
      await (await Deno.open(join(folder, path))).readable.pipeTo(body);
    }
    controller.finalize();
  };
  await Promise.all([written, fill()]); // a full disk ends `written`, and must end this as well
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of (await Deno.open(path)).readable) hash.update(chunk);
  return hash.digest("hex");
}

export async function removeAll(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

function byPath(a: { path: string }, b: { path: string }): number {
  return a.path < b.path ? -1 : 1;
}
