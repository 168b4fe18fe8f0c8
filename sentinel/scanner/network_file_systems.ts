/**
 * File systems whose files other hosts change: they give no change events for that, their times come of
 * another clock, and some invent inodes anew at each mount. By the type that statfs gives on Linux.
 */
const NETWORK_TYPES = new Map([
  [0x6969, "nfs"],
  [0x517b, "smb"],
  [0xff534d42, "cifs"],
  [0xfe534d42, "smb2"],
  [0x65735546, "fuse"], // sshfs, rclone, s3fs, virtiofs; also local ones, which can't be told apart
  [0x01021997, "9p"],
  [0x00c36400, "ceph"],
  [0x5346414f, "afs"],
  [0x0bd00bd0, "lustre"],
  [0x7461636f, "ocfs2"],
  [0x01161970, "gfs2"],
  [0x786f4256, "vboxsf"],
]);

/** @param type Of statfs; some systems give 32 bits with a sign. @returns Null for a local one. */
export function networkFileSystem(type: number): string | null {
  return NETWORK_TYPES.get(type >>> 0) ?? null;
}
