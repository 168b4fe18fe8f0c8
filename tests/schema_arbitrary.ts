/** Values that a zod schema accepts, for property tests: made from its JSON Schema, so never stale. */
import fc from "fast-check";
import * as z from "zod";

type JsonSchema = z.core.JSONSchema.JSONSchema;

const SIZE_MAX = 4;
const TEXT_UNITS_MAX = 24;

/** @param schema Its values as they are read: defaults filled in, no unknown keys. */
export function valuesOf(schema: z.ZodType): fc.Arbitrary<unknown> {
  return valueOf(z.toJSONSchema(schema, { io: "output", unrepresentable: "any" }));
}

function valueOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((either) => valueOf(asSchema(either))));
  if (Array.isArray(schema.type)) {
    return fc.oneof(...schema.type.map((type) => valueOf({ ...schema, type })));
  }
  switch (schema.type) {
    case "object":
      return schema.properties ? record(schema) : dictionary(schema);
    case "array":
      return array(schema);
    case "string":
      return text(schema);
    case "integer":
      return fc.maxSafeInteger().map((value) => clamp(value, schema));
    case "number":
      return fc.double({ noNaN: true, min: -1e300, max: 1e300 }).map((value) =>
        clamp(value, schema)
      );
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    default: // anything at all; JSON has no -0, and fast-check loves it
      return fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)));
  }
}

function record({ properties = {}, required = [] }: JsonSchema): fc.Arbitrary<unknown> {
  const fields: Record<string, fc.Arbitrary<unknown>> = {};
  for (const [name, schema] of Object.entries(properties)) {
    const value = valueOf(asSchema(schema));
    // Null for an optional field stands for its absence, and so does not come back.
    fields[name] = required.includes(name) ? value : value.filter((value) => value !== null);
  }
  return fc.record(fields, { requiredKeys: required, noNullPrototype: true });
}

function dictionary({ additionalProperties }: JsonSchema): fc.Arbitrary<unknown> {
  const name = fc.string({ maxLength: TEXT_UNITS_MAX }).filter((name) => name !== "__proto__");
  const value = valueOf(asSchema(additionalProperties));
  return fc.dictionary(name, value, { maxKeys: SIZE_MAX, noNullPrototype: true });
}

function array({ prefixItems, items, maxItems = SIZE_MAX }: JsonSchema): fc.Arbitrary<unknown> {
  if (prefixItems) return fc.tuple(...prefixItems.map((item) => valueOf(asSchema(item))));
  return fc.array(valueOf(asSchema(items)), { maxLength: Math.min(maxItems, SIZE_MAX) });
}

function text({ pattern, minLength = 0, maxLength = TEXT_UNITS_MAX }: JsonSchema) {
  if (pattern) return fc.stringMatching(new RegExp(pattern));
  return fc.string({
    unit: "grapheme",
    minLength,
    maxLength: Math.min(maxLength, TEXT_UNITS_MAX),
    size: "max",
  });
}

function clamp(value: number, { minimum = -Infinity, maximum = Infinity }: JsonSchema): number {
  return Math.min(Math.max(value, minimum), maximum) + 0; // + 0 makes -0 what JSON says: 0
}

function asSchema(schema: unknown): JsonSchema {
  return typeof schema === "object" ? schema as JsonSchema : {};
}
