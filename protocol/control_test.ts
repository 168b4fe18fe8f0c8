import assert from "node:assert/strict";
import fc from "fast-check";
import { valuesOf } from "../tests/schema_arbitrary.ts";
import { controlClient, ControlError, type Method, METHODS, parseCall } from "./control.ts";

const NAMES = Object.keys(METHODS) as Method[];

function refusal(method: string, params: unknown): ControlError {
  try {
    parseCall(method, params);
  } catch (error) {
    assert.ok(error instanceof ControlError, String(error));
    return error;
  }
  throw new Error(`${method} took ${JSON.stringify(params)}`);
}

Deno.test("an unknown method is refused by its name, those of every object included", () => {
  for (const method of ["jobs.drop", "", "toString", "__proto__", "constructor"]) {
    const { code, message } = refusal(method, {});
    assert.equal(code, "not_found");
    assert.equal(message, `Cannot call '${method}' as there is no such method`);
  }
});

Deno.test("a misspelt key is refused by its name, on every level", () => {
  const { code, message } = refusal("jobs.list", { limits: 5 });
  assert.equal(code, "invalid");
  assert.match(message, /^Cannot call jobs\.list as .*limits/);
  assert.match(refusal("jobs.list", { filter: { plugins: "p" } }).message, /filter: .*plugins/);
  assert.match(refusal("rules.create", { pattern: "*", tag: "t", prio: 1 }).message, /prio/);
});

Deno.test("every method refuses a key that it does not know", () => {
  for (const method of NAMES) {
    const { message } = refusal(method, { no_such_key: 1 });
    assert.ok(message.startsWith(`Cannot call ${method} as `), message);
  }
});

Deno.test("a wrong value is refused by the place where it stands", () => {
  assert.match(refusal("jobs.get", { job_id: "7" }).message, /^Cannot call jobs\.get as job_id: /);
  assert.match(refusal("jobs.list", { filter: { state: ["DONE"] } }).message, /filter\.state\.0: /);
  assert.match(refusal("jobs.list", { limit: 1001 }).message, /limit: /);
  assert.equal(refusal("jobs.list", []).code, "invalid");
});

Deno.test("what is left out gets its default", () => {
  assert.deepEqual(parseCall("jobs.list", undefined).params, { filter: {}, limit: 100 });
  assert.deepEqual(parseCall("jobs.list", null).params, { filter: {}, limit: 100 });
  assert.deepEqual(parseCall("roots.add", { directory: "/data" }).params, {
    directory: "/data", // its rules stay as they are
  });
  assert.deepEqual(parseCall("rules.create", { pattern: "*.csv", tag: "csv" }).params, {
    pattern: "*.csv",
    tag: "csv",
    priority: 0,
    enabled: true,
    description: "",
  });
});

Deno.test("params that a method accepts come out as they went in", async (t) => {
  for (const method of NAMES) {
    await t.step(method, () => {
      fc.assert(
        fc.property(valuesOf(METHODS[method].params), (params) => {
          assert.deepEqual(parseCall(method, params), { method, params });
        }),
        { numRuns: 50 },
      );
    });
  }
});

Deno.test("any params at all are taken or refused with a ControlError", () => {
  fc.assert(fc.property(fc.constantFrom(...NAMES), fc.anything(), (method, params) => {
    try {
      parseCall(method, params);
    } catch (error) {
      assert.ok(error instanceof ControlError, String(error));
    }
  }));
});

Deno.test("the client sends method and params as they are, and reads the result by its schema", async () => {
  const sent: unknown[] = [];
  const client = controlClient((method, params) => {
    sent.push([method, params]);
    return Promise.resolve({ rule_id: 3, note: "a newer sentinel says more" });
  });
  const result = await client.call("rules.create", { pattern: "*.csv", tag: "csv" });
  assert.deepEqual(result, { rule_id: 3 });
  assert.deepEqual(sent, [["rules.create", { pattern: "*.csv", tag: "csv" }]]);
});

Deno.test("the client refuses a result that is none of the method's", async () => {
  const client = controlClient(() => Promise.resolve({ rule_id: "three" }));
  await assert.rejects(client.call("rules.create", { pattern: "*.csv", tag: "csv" }), /rule_id/);
});

Deno.test("the client passes on what the transport failed with", async () => {
  const refused = new ControlError("conflict", "Cannot add the root as it exists");
  const client = controlClient(() => Promise.reject(refused));
  await assert.rejects(client.call("roots.add", { directory: "/d" }), (error) => error === refused);
});
