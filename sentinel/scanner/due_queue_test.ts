import assert from "node:assert/strict";
import fc from "fast-check";
import { DueQueue } from "./due_queue.ts";

interface Item {
  dueMs: number;
}

Deno.test("items come out when they are due, in order, each once, whatever is removed between", () => {
  const dueMs = fc.oneof(fc.integer({ min: -50, max: 200 }), fc.constant(Infinity));
  const operation = fc.oneof(
    fc.record({ add: dueMs }),
    fc.record({ remove: fc.nat(50) }),
    fc.record({ passMs: fc.integer({ min: 0, max: 20 }) }),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
      const queue = new DueQueue<Item>();
      let kept: Item[] = [];
      let nowMs = 0;
      for (const operation of operations) {
        if ("add" in operation) {
          const item = { dueMs: operation.add };
          kept.push(item);
          queue.add(item);
        } else if ("remove" in operation) {
          const [item] = kept.splice(operation.remove % Math.max(1, kept.length), 1);
          if (item !== undefined) queue.remove(item);
        } else {
          nowMs += operation.passMs;
          assert.ok(queue.nextDueMs <= Math.min(...kept.map((item) => item.dueMs)));
          const due = queue.takeDue(nowMs);
          const expected = kept.filter((item) => item.dueMs <= nowMs);
          assert.deepEqual(
            due.map((item) => item.dueMs),
            expected.map((i) => i.dueMs).sort((a, b) => a - b),
          );
          assert.ok(due.every((item) => expected.includes(item)));
          kept = kept.filter((item) => item.dueMs > nowMs);
          assert.ok(queue.nextDueMs > nowMs);
        }
      }
    }),
    { numRuns: 300 },
  );
});
