import assert from "node:assert/strict";
import type { CliIo } from "../../protocol/ports.ts";
import { ProgressLine, type Status, statusText } from "./progress.ts";

function fakeIo(isTerminal: boolean): { io: CliIo; said: string[] } {
  const said: string[] = [];
  const io = {
    isTerminal,
    columns: 20,
    stderr: (line: string) => said.push(`${line}\n`),
    draw: (text: string) => said.push(text),
  } as unknown as CliIo;
  return { io, said };
}

const status = (jobs: Partial<Status["jobs"]>, waiting_for: string[] = []) => ({
  jobs: { QUEUED: 0, RUNNING: 0, COMPLETED: 0, FAILED: 0, CANCELLED: 0, ...jobs },
  waiting_for,
} as unknown as Status);

Deno.test("the status line leaves out what is zero, and says why nothing runs", () => {
  assert.equal(statusText(status({ COMPLETED: 1200 })), "1,200 done");
  const busy = status({ COMPLETED: 1, RUNNING: 2, QUEUED: 3, FAILED: 4 }, ["a lock"]);
  assert.equal(statusText(busy), "1 done · 2 running · 3 queued · 4 failed");
  const stuck = status({ QUEUED: 3 }, ["locking\nsales", "more"]);
  assert.equal(statusText(stuck), "0 done · 3 queued · locking\\nsales");
});

Deno.test("on a terminal the line is drawn over, cut to its width, and once only for one text", () => {
  const { io, said } = fakeIo(true);
  const line = new ProgressLine(io);
  line.show("a".repeat(30));
  line.show("a".repeat(30));
  line.above(["note"]);
  line.clear();
  const drawn = `\r\x1b[2K${"a".repeat(18)}…`;
  assert.deepEqual(said, [drawn, "\r\x1b[2K", "note\n", drawn, "\r\x1b[2K"]);
});

Deno.test("in a pipe only changes are told, at most one in a second", () => {
  const { io, said } = fakeIo(false);
  let nowMs = 0;
  const line = new ProgressLine(io, () => nowMs);
  const steps: [number, string][] = [[0, "1"], [900, "2"], [1000, "3"], [5000, "3"], [5001, "4"]];
  for (const [atMs, text] of steps) {
    nowMs = atMs;
    line.show(text);
  }
  line.above(["note"]);
  line.clear();
  assert.deepEqual(said, ["1\n", "3\n", "4\n", "note\n"]);
});
