import assert from "node:assert/strict";
import { clearSockets, openStateFolder, writeJson } from "./state_folder.ts";

async function withFolder(work: (folder: string) => void): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a state folder has one holder, who is named to the second", () =>
  withFolder((folder) => {
    const state = `${folder}/state`;
    const lock = openStateFolder(state);
    writeJson(`${state}/sentinel.json`, { pid: 7, address: "ipc://x" });
    assert.throws(() => openStateFolder(state), /another sentinel .* \(process 7, at ipc:\/\/x\)/);
    lock.close();
    openStateFolder(state).close();
    assert.equal(Deno.statSync(state).mode! & 0o777, 0o700, "nobody else reads it");
  }));

Deno.test("a state folder that cannot be made says which option to give", () =>
  withFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "");
    assert.throws(() => openStateFolder(`${folder}/file/state`), /Cannot use .*--state/);
  }));

Deno.test("sockets that a killed sentinel left are removed, and their folder is made", () =>
  withFolder((folder) => {
    const path = `${folder}/run/control.sock`;
    clearSockets([`ipc://${path}`, "tcp://127.0.0.1:1"]);
    Deno.writeTextFileSync(path, "");
    clearSockets([`ipc://${path}`]);
    assert.deepEqual([...Deno.readDirSync(`${folder}/run`)], []);
  }));
