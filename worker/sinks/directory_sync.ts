/**
 * Makes new names in a folder durable. Many outputs land in one folder at a time, so their syncs are
 * shared: one that is asked for while another runs waits for the next one, and all who wait share it.
 */
interface Syncs {
  running: Promise<void>;
  /** Begins when the running one ends; whoever asks now is served by it. */
  next: Promise<void> | null;
}

const syncsByPath = new Map<string, Syncs>();

/** Resolves when every name that stands in the folder now survives a power cut. */
export function syncDirectory(path: string): Promise<void> {
  const syncs = syncsByPath.get(path);
  if (!syncs) return begin(path);
  return syncs.next ??= syncs.running.then(() => begin(path), () => begin(path));
}

function begin(path: string): Promise<void> {
  const running = sync(path).finally(() => {
    if (syncsByPath.get(path)?.next === null) syncsByPath.delete(path);
  });
  syncsByPath.set(path, { running, next: null });
  return running;
}

async function sync(path: string): Promise<void> {
  using directory = await Deno.open(path);
  await directory.sync();
}
