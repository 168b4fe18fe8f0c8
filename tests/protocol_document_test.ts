// PROTOCOL.md is what others write peers by: it must not fall behind the tables it tells of.
import assert from "node:assert/strict";
import { HEARTBEAT_MS, LEASE_MS } from "../sentinel/core/cluster.ts";
import vectors from "./vectors/control_messages.json" with { type: "json" };
import { type Method, METHODS } from "../protocol/control.ts";
import { JSON_DEPTH_MAX, JSON_VALUES_MAX } from "../protocol/json_bounds.ts";
import { ErrorKind, FEATURES, type MessageName, MESSAGES } from "../protocol/messages.ts";

const text = await Deno.readTextFile(new URL("../protocol/PROTOCOL.md", import.meta.url));
/** Cells of all table rows, by their first cell. */
const rows = new Map(
  text.split("\n").filter((line) => line.startsWith("|")).map((line) => {
    const cells = line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim());
    return [cells[0], cells];
  }),
);

Deno.test("PROTOCOL.md names every opcode and every field of its payload", () => {
  for (const name of Object.keys(MESSAGES) as MessageName[]) {
    const { opcode, body } = MESSAGES[name];
    const cells = rows.get(String(opcode));
    assert.equal(cells?.[1], name.toUpperCase());
    for (const field of Object.keys(body.shape)) {
      const where = name === "dispatch" || name === "try" ? text : cells?.[3];
      assert.ok(where?.includes(field), `${name}: ${field}`);
    }
  }
});

Deno.test("PROTOCOL.md names every method of the control API, its params and its kind", () => {
  for (const method of Object.keys(METHODS) as Method[]) {
    const cells = rows.get(`\`${method}\``);
    const { params, kind } = METHODS[method];
    assert.equal(cells?.[3], kind, method);
    for (const name of Object.keys(params.shape)) {
      const isPage = name === "after" || name === "limit";
      assert.ok(cells?.[1]?.includes(isPage ? "Page" : name), `${method}: ${name}`);
    }
  }
  const told = [...rows.keys()].filter((cell) => /^`[a-z]+\.[a-z]+`$/.test(cell ?? ""));
  assert.equal(told.length, Object.keys(METHODS).length);
});

Deno.test("PROTOCOL.md names every feature and every kind of error", () => {
  for (const feature of FEATURES) assert.ok(rows.has(`\`${feature}\``), feature);
  assert.ok(text.replaceAll(/\s+/g, " ").includes(ErrorKind.options.join(", ")));
});

Deno.test("PROTOCOL.md tells the numbers that the code has", () => {
  const told = (ms: number) => `${ms.toLocaleString("en")} ms`;
  assert.ok(text.includes(`every ${told(HEARTBEAT_MS)}`));
  assert.ok(text.includes(`ends after ${told(LEASE_MS)}`));
  assert.ok(text.includes(`at most ${JSON_DEPTH_MAX} deep`));
  assert.ok(text.includes(`${JSON_VALUES_MAX.toLocaleString("en")} values`));
});

Deno.test("PROTOCOL.md's vectors are the golden ones", () => {
  for (const name of ["identify", "dispatch", "abort", "heartbeat", "conclude", "err"]) {
    const { header, payload } = vectors.messages.find(({ title }) => title === name)!;
    assert.match(text, new RegExp(`^${name.toUpperCase()} +${header} `, "m"));
    assert.ok(text.includes(payload));
  }
});
