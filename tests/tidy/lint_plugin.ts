/**
 * Our own lint rules: imports go one way, the core does no I/O, and a few powers (the clock, chance, the
 * exit, SQL) have one home each. `deno lint` runs them by deno.json.
 */
import { DOORS, isPure, type Place, placeOf, ROOMS, targetOf, TEST_ROOMS } from "./places.ts";

type Node = Deno.lint.Node;

const importDirection: Deno.lint.Rule = {
  create(context) {
    const place = placeOf(context.filename);
    const check = (node: Node, specifier: unknown, lazy = false) => {
      if (typeof specifier !== "string") return;
      const refusal = refuseImport(place, specifier, lazy);
      if (refusal !== null) context.report({ node, message: refusal });
    };
    return {
      ImportDeclaration: (node) => check(node, node.source.value),
      ExportNamedDeclaration: (node) => check(node, node.source?.value),
      ExportAllDeclaration: (node) => check(node, node.source.value),
      ImportExpression: (node) => check(node, literalOf(node.source), true),
    };
  },
};

function refuseImport(place: Place, specifier: string, lazy: boolean): string | null {
  const target = targetOf(place, specifier);
  if (target === null) return refusePackage(place, specifier);
  const { room } = placeOf(target);
  if (place.room === "tests" || room === place.room || target.endsWith(".json")) return null;
  if (place.room === "") return refuseAtTheDoor(target, lazy);
  const rooms = [...ROOMS[place.room]?.rooms ?? [], ...(place.isTest ? TEST_ROOMS : [])];
  if (rooms.includes(room)) return null;
  return `Cannot import ${target} as ${place.room} may only import ${rooms.join(", ") || "itself"}`;
}

/** casparian.ts sees all rooms, but loads only the one that it needs. */
function refuseAtTheDoor(target: string, lazy: boolean): string | null {
  if (/^(protocol|security)\//.test(target) || DOORS.includes(target) && lazy) return null;
  return `Cannot import ${target} as the front door may only import() the main.ts of a room`;
}

function refusePackage(place: Place, specifier: string): string | null {
  const packages = ROOMS[place.room]?.packages;
  if (packages === undefined || place.isTest || place.isForeign) return null;
  if (packages.some((name) => isOf(name, specifier))) return null;
  return `Cannot import ${specifier} as ${place.room} may only use ${packages.join(", ")}`;
}

function isOf(name: string, specifier: string): boolean {
  if (/[:/]$/.test(name)) return specifier.startsWith(name);
  return specifier === name || specifier.startsWith(`${name}/`);
}

const IMPURE_CALLS = ["setTimeout", "setInterval", "setImmediate", "fetch", "Date"];
const IMPURE_OBJECTS = ["Deno", "performance", "crypto", "process", "globalThis", "self"];

const pureCore: Deno.lint.Rule = {
  create(context) {
    const place = placeOf(context.filename);
    if (!isPure(place, context.sourceCode.text)) return {};
    const report = (node: Node, what: string) =>
      context.report({
        node,
        message: `Cannot use ${what} as this file is pure: hand it in instead`,
      });
    const imports = (node: Node, specifier: unknown) => {
      if (typeof specifier !== "string" || specifier === "node:path") return; // it only handles text
      if (specifier.startsWith("node:")) report(node, specifier);
    };
    return {
      ImportDeclaration: (node) => imports(node, node.source.value),
      ExportNamedDeclaration: (node) => imports(node, node.source?.value),
      ExportAllDeclaration: (node) => imports(node, node.source.value),
      ImportExpression: (node) => report(node, "import()"),
      CallExpression(node) {
        const name = nameOf(node.callee);
        if (IMPURE_CALLS.includes(name)) report(node, `${name}()`);
      },
      NewExpression(node) {
        if (isClock(node)) report(node, "new Date()");
      },
      MemberExpression(node) {
        const name = nameOf(node.object);
        if (isClockOrChance(node) || IMPURE_OBJECTS.includes(name)) {
          report(node, `${name}.${propertyOf(node)}`);
        }
      },
    };
  },
};

const clockOnlyInMain: Deno.lint.Rule = {
  create(context) {
    const { isMain, isTest, path } = placeOf(context.filename);
    if (isMain || isTest || isPure(placeOf(path), context.sourceCode.text)) return {}; // pure-core tells
    const message =
      "Cannot ask the clock or chance here as only a main.ts may: take it as a parameter";
    return {
      MemberExpression(node) {
        if (isClockOrChance(node)) context.report({ node, message });
      },
      NewExpression(node) {
        if (isClock(node)) context.report({ node, message });
      },
    };
  },
};

const exitOnlyAtTheDoor: Deno.lint.Rule = {
  create(context) {
    const { path, isTest } = placeOf(context.filename);
    if (path === "casparian.ts" || isTest) return {};
    const message = "Cannot exit here as only casparian.ts may: return or throw instead";
    return {
      MemberExpression(node) {
        const isProgram = ["Deno", "process"].includes(nameOf(node.object));
        if (isProgram && propertyOf(node) === "exit") context.report({ node, message });
      },
    };
  },
};

const SQL =
  /^\s*(SELECT|INSERT (OR \w+ )?INTO|UPDATE \w+|DELETE FROM|PRAGMA \w+|(CREATE|ALTER|DROP) (TABLE|INDEX|VIEW|TRIGGER)|WITH \w+ AS)\b/;

const sqlOnlyInStores: Deno.lint.Rule = {
  create(context) {
    const { mayHoldSql, isTest } = placeOf(context.filename);
    if (mayHoldSql || isTest) return {};
    const message = "Cannot hold SQL here as only stores and sinks may: give it a name over there";
    return {
      Literal(node) {
        if (typeof node.value === "string" && SQL.test(node.value)) {
          context.report({ node, message });
        }
      },
      TemplateLiteral(node) {
        if (SQL.test(node.quasis[0]?.raw ?? "")) context.report({ node, message });
      },
    };
  },
};

function isClockOrChance(node: Deno.lint.MemberExpression): boolean {
  return ["Date.now", "Math.random"].includes(`${nameOf(node.object)}.${propertyOf(node)}`);
}

function isClock(node: Deno.lint.NewExpression): boolean {
  return nameOf(node.callee) === "Date" && node.arguments.length === 0;
}

/** The name that an expression ends in: "Date" for `Date` and for `globalThis.Date`. */
function nameOf(node: Node): string {
  if (node.type === "Identifier") return node.name;
  return node.type === "MemberExpression" ? propertyOf(node) : "";
}

function propertyOf({ property }: Deno.lint.MemberExpression): string {
  return property.type === "Identifier" ? property.name : String(literalOf(property) ?? "");
}

function literalOf(node: Node): unknown {
  return node.type === "Literal" ? node.value : undefined;
}

const plugin: Deno.lint.Plugin = {
  name: "casparian",
  rules: {
    "import-direction": importDirection,
    "pure-core": pureCore,
    "clock-only-in-main": clockOnlyInMain,
    "exit-only-at-the-door": exitOnlyAtTheDoor,
    "sql-only-in-stores": sqlOnlyInStores,
  },
};
export default plugin;
