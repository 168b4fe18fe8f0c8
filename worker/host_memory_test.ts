import assert from "node:assert/strict";
import { hostMemoryBytes, memoryShareBytes } from "./host_memory.ts";

const GIB = 1024 ** 3;

Deno.test("all slots together leave a fifth of the memory, and none gets too little for Python", () => {
  assert.equal(memoryShareBytes(20 * GIB, 4), 4 * GIB);
  assert.equal(memoryShareBytes(1 * GIB, 8), GIB / 2);
  assert.equal(memoryShareBytes(10 * GIB + 12345, 3) % 1024 ** 2, 0);
});

Deno.test("the memory is what the host has, or what a control group leaves of it", async () => {
  const bytes = await hostMemoryBytes();
  assert.ok(bytes > GIB / 4 && bytes <= Deno.systemMemoryInfo().total, `${bytes}`);
});

// Goal: in a container /proc/meminfo tells of the whole host, and only the group of the limit.
Deno.test("the lowest limit of a group and of those around it counts, in both versions", async () => {
  const root = await Deno.makeTempDir();
  const write = async (path: string, text: string) => {
    await Deno.mkdir(`${root}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(`${root}/${path}`, text);
  };
  const memory = async (group: string) => {
    await write("cgroup", group);
    const script = new URL("./launch.sh", import.meta.url).pathname;
    const args = ["memory", `${root}/cgroup`, root];
    const { stdout } = await new Deno.Command(script, { args }).output();
    return Number(new TextDecoder().decode(stdout));
  };
  try {
    await write("a/memory.max", `${300 * 1024 ** 2}\n`);
    await write("a/b/memory.max", "max\n");
    await write("memory/c/memory.limit_in_bytes", `${200 * 1024 ** 2}\n`);
    assert.equal(await memory("0::/a/b\n"), 300 * 1024 ** 2);
    assert.equal(await memory("4:memory:/c\n0::/\n"), 200 * 1024 ** 2);
    assert.equal(await memory("4:cpu:/\n0::/none\n"), Deno.systemMemoryInfo().total);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
