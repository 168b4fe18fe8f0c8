/** Whether a DISPATCH asks for something that a worker would do [pure]; its schema knows types only. */
import { isAbsolute, normalize, sep } from "node:path";
import { TOPIC_PATTERN } from "../protocol/ids.ts";
import type { MessageBody } from "../protocol/messages.ts";
import { JobFailure } from "./conclusions.ts";

type Asked = Pick<MessageBody<"dispatch">, "file_path" | "data_roots" | "sinks">;

/** @throws {JobFailure} That names the field, the rule and the value; trying again would not help. */
export function checkDispatch({ file_path: file, data_roots: roots = [], sinks }: Asked): void {
  for (const path of [file, ...roots]) checkPath(path);
  if (roots.length > 0 && !roots.some((root) => isBelow(file, root))) {
    throw new JobFailure("plugin", `Cannot read ${file} as it must lie in ${roots.join(" or ")}`);
  }
  const topics = new Set<string>();
  for (const { topic } of sinks) {
    if (!TOPIC_PATTERN.test(topic)) throw wrongTopic(topic, `letters, digits, "_", "." and "-"`);
    if (topics.has(topic)) throw wrongTopic(topic, "named once");
    topics.add(topic);
  }
}

function checkPath(path: string): void {
  const isPlain = isAbsolute(path) && !path.includes("\0") && !path.split(sep).includes("..");
  if (isPlain) return;
  const shown = JSON.stringify(path);
  throw new JobFailure("plugin", `Cannot read ${shown} as a path must be absolute, without ".."`);
}

function isBelow(file: string, root: string): boolean {
  const folder = normalize(root);
  return normalize(file).startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

function wrongTopic(topic: string, rule: string): JobFailure {
  const shown = JSON.stringify(topic);
  return new JobFailure(
    "sink",
    `Cannot write to a topic as its name must be ${rule}: got ${shown}`,
  );
}
