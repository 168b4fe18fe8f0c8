/**
 * gzip. Nothing in its last bytes tells whether they are the end: the stream has to be unpacked, all
 * members of it. What comes out is thrown away; a small file of gigabytes of zeros is given up.
 */
import { createGunzip } from "node:zlib";
import { type EndScan, type Format, startsWith } from "./format.ts";

/** About five seconds of unpacking. */
const UNPACKED_BYTES_MAX = 2 ** 30;

export const gzip: Format = {
  end: "gzip trailer",
  endings: [".gz", ".tgz", ".svgz"],
  bytesMin: 18,
  is: ({ head }) => startsWith(head, [0x1f, 0x8b, 0x08]),
  look: () => "unsure",
  scan: () => gunzipScan(),
};

function gunzipScan(): EndScan {
  const gunzip = createGunzip();
  let unpackedBytes = 0;
  let isBroken = false;
  const over = Promise.withResolvers<void>();
  gunzip.on("data", (data: Uint8Array) => unpackedBytes += data.length);
  gunzip.on("end", over.resolve);
  gunzip.on("error", () => {
    isBroken = true;
    over.resolve();
  });
  const written = (chunk: Uint8Array) =>
    new Promise<void>((resolve) => {
      gunzip.write(chunk, () => resolve()); // also called if it fails
    });
  return {
    async take(chunk) {
      await Promise.race([written(chunk), over.promise]);
      return !isBroken && unpackedBytes <= UNPACKED_BYTES_MAX;
    },
    async ended() {
      if (unpackedBytes > UNPACKED_BYTES_MAX) return null;
      if (!isBroken) gunzip.end();
      await over.promise;
      return !isBroken;
    },
    close: () => void gunzip.destroy(),
  };
}
