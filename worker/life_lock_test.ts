import assert from "node:assert/strict";
import { join } from "node:path";
import { removeIfDead, takeLifeLock } from "./life_lock.ts";

async function withPath(use: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(join(folder, "a.lock"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("what is locked is alive, what is left unlocked is dead, what is not there is nobody's", () =>
  withPath(async (path) => {
    const remove = () => Deno.remove(path);
    assert.equal(await removeIfDead(path, remove), false);
    const lock = takeLifeLock(path);
    assert.equal(await removeIfDead(path, remove), false);
    assert.equal(takeLifeLock(path), null);
    lock!.close();
    assert.equal(await removeIfDead(path, remove), true);
    await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
  }));

// Goal: between making the file and locking it a sweeper may take it for a dead one's and remove it.
Deno.test("a lock is on the file that is there, however many make it and sweep it at a time", () =>
  withPath(async (path) => {
    const url = JSON.stringify(new URL("./life_lock.ts", import.meta.url).href);
    const sweep = `
      const { removeIfDead } = await import(${url});
      console.log("sweeping");
      for (;;) await removeIfDead(${JSON.stringify(path)}, () => Deno.remove(${
      JSON.stringify(path)
    }));`;
    const sweeper = new Deno.Command(Deno.execPath(), {
      args: ["eval", sweep],
      stdout: "piped",
    }).spawn();
    const output = sweeper.stdout.getReader();
    try {
      await output.read();
      for (let taken = 0; taken < 2000;) {
        const lock = takeLifeLock(path);
        if (lock === null) continue;
        taken++;
        assert.equal(Deno.statSync(path).ino, lock.statSync().ino);
        lock.close();
      }
    } finally {
      sweeper.kill("SIGKILL");
      await sweeper.status;
      await output.cancel();
    }
  }));
