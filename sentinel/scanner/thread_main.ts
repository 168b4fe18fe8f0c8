/** The program of the scanner's thread: builds the real parts. */
import { openKnownFiles } from "../store/known_files.ts";
import { openDisk } from "./disk.ts";
import { ScanThread } from "./scan_thread.ts";

const port = self as unknown as Worker;
const thread = new ScanThread({
  disk: openDisk(),
  clock: { nowMs: () => performance.now(), wallMs: () => Date.now() },
  openKnownFiles,
  post: (message) => port.postMessage(message),
});
port.onmessage = ({ data }) => thread.hear(data);
// Not awaited here, as a worker hears nothing while its module is loading.
thread.run().catch((error) => port.postMessage({ type: "failed", message: String(error) }));
