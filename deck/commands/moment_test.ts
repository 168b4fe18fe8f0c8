import assert from "node:assert/strict";
import { moment } from "./moment.ts";

const NOW_MS = Date.parse("2026-01-31T12:00:00Z");

Deno.test("moment() counts back from now, or names a day or a time", () => {
  const at = (text: string) => moment(text)(NOW_MS);
  const agoMs = { "0s": 0, "30s": 30_000, "15m": 900_000, "2h": 7_200_000, "7d": 604_800_000 };
  for (const [text, ms] of Object.entries(agoMs)) assert.equal(at(text), NOW_MS - ms, text);
  assert.equal(at("2026-01-31T11:00Z"), NOW_MS - 3_600_000);
  assert.equal(at("2026-01-31T11:00:30+01:00"), NOW_MS - 2 * 3_600_000 + 30_000);
  assert.equal(at("2026-01-31"), new Date(2026, 0, 31).getTime(), "where the user is");
  assert.equal(at("2026-01-31T10:00"), new Date(2026, 0, 31, 10).getTime());
});

Deno.test("moment() refuses what is no time, and says what would be", () => {
  for (const text of ["", "yesterday", "2", "2w", "-1h", "2026-13-01", "2026-1-1", "1234567h"]) {
    assert.throws(() => moment(text), /must be a time: 30s, 15m/, text);
  }
});
