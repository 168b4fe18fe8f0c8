import assert from "node:assert/strict";
import { checkAddress } from "./address.ts";
import { sqlitePath } from "./database_url.ts";
import { UsageError } from "./exit_codes.ts";

Deno.test("plain TCP on this machine only warns, elsewhere it needs both words", () => {
  assert.equal(checkAddress("ipc:///run/control.sock", {}), null);
  assert.match(checkAddress("tcp://localhost:5555", {}) ?? "", /plain TCP/);
  assert.match(checkAddress("tcp://127.0.0.1:*", {}) ?? "", /plain TCP/);
  const elsewhere = "tcp://10.0.0.1:5555";
  assert.throws(() => checkAddress(elsewhere, {}), UsageError);
  assert.throws(() => checkAddress(elsewhere, { insecureTcp: true }), UsageError);
  assert.match(checkAddress(elsewhere, { insecureTcp: true, yesReally: true }) ?? "", /plain TCP/);
  assert.throws(() => checkAddress("tcp://localhost.example.com:1", {}), UsageError);
  assert.throws(() => checkAddress("tcp://*:5555", {}), UsageError);
});

Deno.test("an address that ZeroMQ would not take is refused with what was given", () => {
  for (const address of ["localhost:5555", "tcp://localhost", "http://localhost:1", "ipc://"]) {
    assert.throws(() => checkAddress(address, {}), new RegExp(`got ${address}`));
  }
});

Deno.test("a database URL is sqlite:// and a path, relative or absolute", () => {
  assert.equal(sqlitePath("sqlite://db.sqlite3"), "db.sqlite3");
  assert.equal(sqlitePath("sqlite:///var/lib/db"), "/var/lib/db");
  for (
    const url of ["db.sqlite3", "sqlite://", "sqlite://:memory:", "sqlite://dir/", "mysql://x"]
  ) {
    assert.throws(() => sqlitePath(url), new RegExp(`got ${url}`));
  }
});
