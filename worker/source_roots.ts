/**
 * Where a job's file is on this host [pure]. The sentinel names paths as they are on its own host; one
 * that has a source root mounted elsewhere says so with `--map NAME=DIR`, by the root's name.
 */
import type { Message, MessageBody } from "../protocol/messages.ts";

type Placed = Pick<MessageBody<"dispatch">, "file_path" | "data_roots" | "root">;

/** The message with its paths as they are here; of a root that is not mapped, they are the same. */
export function onThisHost(message: Message, maps: Readonly<Record<string, string>>): Message {
  if (message.name === "dispatch") return { ...message, body: placed(message.body, maps) };
  if (message.name === "try") return { ...message, body: placed(message.body, maps) };
  return message;
}

function placed<T extends Placed>(body: T, maps: Readonly<Record<string, string>>): T {
  const { root } = body;
  if (!root || !Object.hasOwn(maps, root.name)) return body;
  const here = maps[root.name]!;
  const move = (path: string) => moved(path, root.directory, here);
  return {
    ...body,
    file_path: move(body.file_path),
    data_roots: body.data_roots?.map(move),
    root: { name: root.name, directory: here },
  };
}

/** A path at or below `from` as it is below `to`; any other stays. */
function moved(path: string, from: string, to: string): string {
  if (path === from) return to;
  const folder = from.endsWith("/") ? from : `${from}/`;
  if (!path.startsWith(folder)) return path;
  return `${to.endsWith("/") ? to : `${to}/`}${path.slice(folder.length)}`;
}
