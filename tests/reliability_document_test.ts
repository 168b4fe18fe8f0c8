// docs/reliability.md is what operators read: its table of retries must be the one of the code.
import assert from "node:assert/strict";
import { ErrorKind } from "../protocol/messages.ts";
import { PAUSE_AFTER } from "../sentinel/core/breaker.ts";
import { BACKOFF_MAX_MS, LOST_WORKERS_MAX, POLICIES, type Policy } from "../sentinel/core/retry.ts";

const text = await Deno.readTextFile(new URL("../docs/reliability.md", import.meta.url));

function cells({ attemptsMax, countsAs, backoffFirstMs, tripsBreaker }: Policy): string[] {
  const attempts = attemptsMax === "manifest" ? "1 + MANIFEST retries" : String(attemptsMax);
  return [
    attempts.replace("Infinity", "any number"),
    countsAs.replace("_", " "),
    backoffFirstMs === 0 ? "-" : `${backoffFirstMs / 1000} s`,
    tripsBreaker ? "yes" : "no",
  ];
}

Deno.test("docs/reliability.md has the table of retries that the code has", () => {
  for (const kind of ErrorKind.options) {
    const row = text.split("\n").find((line) => line.startsWith(`| \`${kind}\``));
    const told = row?.split("|").slice(2, -1).map((cell) => cell.trim());
    assert.deepEqual(told, cells(POLICIES[kind]), kind);
  }
});

Deno.test("docs/reliability.md has the numbers of the code", () => {
  const told = text.replaceAll(/\s+/g, " ");
  assert.ok(told.includes(`pause that version of the plugin: ${PAUSE_AFTER} by default`));
  assert.ok(told.includes("up to a minute") && BACKOFF_MAX_MS === 60_000);
  assert.ok(told.includes("ends five workers") && LOST_WORKERS_MAX === 5);
});

Deno.test("docs/reliability.md names tests that exist", () => {
  const named = [...text.matchAll(/`([a-z0-9_/]+\.ts)`/g)].map((match) => match[1]!);
  assert.ok(named.length > 0);
  for (const path of named) {
    assert.ok(Deno.statSync(new URL(`../${path}`, import.meta.url)).isFile, path);
  }
});
