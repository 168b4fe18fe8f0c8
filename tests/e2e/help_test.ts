/** What each command says of itself, and what a wrong command line comes to. */
import assert from "node:assert/strict";
import { COMMANDS } from "../../protocol/commands.ts";
import { casparian } from "./casparian.ts";

const here = Deno.cwd();

Deno.test("--help lists every command with what it does", async () => {
  const { code, stdout } = await casparian(here, "--help");
  assert.equal(code, 0);
  for (const { name, summary } of COMMANDS) {
    assert.match(stdout, new RegExp(`${name} .*${summary}`));
  }
  assert.match(stdout, /Exit codes: 0 ok, 1 error, 2 wrong usage, 3 some files failed, 130/);
});

Deno.test("every command has help with its options and an example", async () => {
  for (const { name, summary } of COMMANDS) {
    const { code, stdout, stderr } = await casparian(here, name, "--help");
    assert.equal(code, 0, stderr);
    assert.ok(stdout.includes(summary), name);
    assert.match(stdout, /Options:[^]*Examples:\n {2}casparian /, name);
    assert.match(stdout, /--json|Commands:|--exit-with-stdin/, name);
  }
});

Deno.test("a wrong command line ends with 2 and says what would be right", async () => {
  const cases: [string[], RegExp][] = [
    [["jbos"], /unknown command 'jbos'[^]*Did you mean jobs/],
    [[], /Usage: casparian/],
    [["jobs", "--status", "done"], /Allowed choices are QUEUED, RUNNING/],
    [["jobs", "--limit", "0"], /whole number from 1 to 1000/],
    [["job", "one"], /whole number from 1/],
    [["job"], /missing required argument 'id'/],
    [["jobs", "--stats"], /Did you mean one of --state, --status/],
    [["retry"], /no job is named/],
    [["cancel", "1", "--all"], /both jobs by number and by a filter/],
    [["status", "--connect", "localhost:1"], /tcp:\/\/HOST:PORT/],
    [["status", "--connect", "tcp://10.0.0.1:1"], /--insecure-tcp --yes-really/],
    [["sentinel", "--listen", "nowhere"], /got nowhere/],
    [["worker", "--slots", "0", "--connect", "ipc:///tmp/x"], /--slots/],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await casparian(here, ...args);
    assert.match(stderr, message);
    assert.equal(code, 2, `${args}: ${stderr}`);
  }
});

Deno.test("a client without a sentinel ends with 1 and says how to start one", async () => {
  const folder = await Deno.makeTempDir();
  const { code, stderr } = await casparian(folder, "status");
  await Deno.remove(folder);
  assert.equal(code, 1);
  assert.match(stderr, /Cannot find a sentinel as .*sentinel\.json is not there.*casparian start/);
});
