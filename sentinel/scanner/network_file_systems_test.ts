import assert from "node:assert/strict";
import { openDisk } from "./disk.ts";
import { networkFileSystem } from "./network_file_systems.ts";

Deno.test("file systems that other hosts change are known by their type, with or without a sign", () => {
  assert.equal(networkFileSystem(0x6969), "nfs");
  assert.equal(networkFileSystem(0xff534d42), "cifs");
  assert.equal(networkFileSystem(0xff534d42 | 0), "cifs");
  assert.equal(networkFileSystem(0xfe534d42 | 0), "smb2");
  for (const local of [0xef53, 0x9123683e, 0x58465342, 0x01021994, 0]) { // ext4, btrfs, xfs, tmpfs
    assert.equal(networkFileSystem(local), null);
  }
});

Deno.test("a folder on a disk is no share, nor is one that is not there", () => {
  const directory = Deno.makeTempDirSync();
  assert.equal(openDisk().networkFileSystem(directory), null);
  Deno.removeSync(directory);
  assert.equal(openDisk().networkFileSystem(directory), null);
});
