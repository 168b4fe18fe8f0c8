import assert from "node:assert/strict";
import fc from "fast-check";
import picomatch from "picomatch";
import { compileRoutes, PATTERN_CHARS_MAX, type Route, RoutingError } from "./routing.ts";

function route(pattern: string, id = pattern): Route {
  return { id, pattern, target: "plugin" };
}

function matches(pattern: string, path: string): boolean {
  return compileRoutes([route(pattern)]).match(path).length === 1;
}

Deno.test("a pattern without a slash takes the base name in any folder", () => {
  assert.ok(matches("*.csv", "a.csv"));
  assert.ok(matches("*.csv", "deep/er/a.csv"));
  assert.ok(!matches("*.csv", "a.csv.gz"));
  assert.ok(matches("Makefile", "src/Makefile"));
});

Deno.test("a pattern with a slash takes the path relative to the root", () => {
  assert.ok(matches("in/*.csv", "in/a.csv"));
  assert.ok(!matches("in/*.csv", "other/in/a.csv"));
  assert.ok(!matches("in/*.csv", "in/deeper/a.csv"));
  assert.ok(matches("in/**/*.csv", "in/deeper/a.csv"));
  assert.ok(matches("/*.csv", "a.csv"));
  assert.ok(!matches("/*.csv", "in/a.csv"));
});

Deno.test("braces, negation, double extensions and newlines in names work", () => {
  assert.ok(matches("*.{csv,tsv}", "x/a.tsv"));
  assert.ok(matches("!*.csv", "a.tsv"));
  assert.ok(!matches("!*.csv", "a.csv"));
  assert.ok(matches("*.csv.gz", "a.b.csv.gz"));
  assert.ok(matches("*.gz", "a.csv.gz"));
  assert.ok(matches("**/*.csv", "one\ntwo/a\nb.csv"));
});

Deno.test("a dotfile is taken only by a pattern that names the dot", () => {
  assert.ok(!matches("*.csv", ".hidden.csv"));
  assert.ok(matches(".*.csv", ".hidden.csv"));
});

Deno.test("routes come back in the order they were given, whatever their buckets", () => {
  const patterns = ["*.gz", "*", "a*.csv.gz", "**/*.gz", "*.csv.gz", "a.csv.gz"];
  const found = compileRoutes(patterns.map((pattern) => route(pattern))).match("a.csv.gz");
  assert.deepEqual(found.map(({ pattern }) => pattern), patterns);
});

Deno.test("a pattern that is no glob is refused with its route and its reason", () => {
  for (
    const pattern of ["", " ", "/", "[a", "{a", "(a", "[z-a]", "a".repeat(PATTERN_CHARS_MAX + 1)]
  ) {
    assert.throws(() => compileRoutes([route(pattern, "r7")]), (error) => {
      assert.ok(error instanceof RoutingError, pattern);
      assert.match(error.message, /^Cannot use the pattern of route r7 as it must /);
      return true;
    });
  }
});

/** What routing means, without any bucket: every pattern is asked. */
function naive(routes: Route[], path: string): Route[] {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const options = { windows: false, strictBrackets: true, debug: true, flags: "s" };
  return routes.filter(({ pattern }) => {
    const glob = pattern.replace(/^\//, "").replace(/\*{3,}/g, "**");
    return picomatch.isMatch(pattern.includes("/") ? path : name, glob, options);
  });
}

const pieces = ["a", "b", ".csv", ".gz", ".", "x1", "-", "_"];
const globs = [
  ...["*", "**", "?", "/", "*", "{csv,gz}", "[ab]", "!(a)", "+(a|b)", "@(a)", "!"],
  ...['"b"', "\\.", "|", "./", ",", "^", "$", "+", "@"],
];
const path = fc.array(fc.constantFrom(...pieces, "/", "!", "|", "\n"), {
  minLength: 1,
  maxLength: 8,
})
  .map((parts) => parts.join("").replace(/\/+/g, "/").replace(/^\/|\/$/g, "") || "a");
const pattern = fc.array(fc.constantFrom(...pieces, ...pieces, ...globs), {
  minLength: 1,
  maxLength: 7,
})
  .map((parts) => parts.join(""));

function compiles(pattern: string): boolean {
  try {
    compileRoutes([route(pattern)]);
    return true;
  } catch {
    return false;
  }
}

Deno.test("stars beyond two mean no more than two", () => {
  assert.ok(matches("***a.b", "xa.b"));
  assert.ok(!matches("***a.b", "aab"));
});

Deno.test("the matcher answers as asking every pattern would", () => {
  const routes = fc.array(pattern.filter(compiles).map((text) => route(text)), { maxLength: 12 });
  fc.assert(
    fc.property(routes, fc.array(path, { maxLength: 20 }), (routes, paths) => {
      const matcher = compileRoutes(routes);
      for (const path of paths) assert.deepEqual(matcher.match(path), naive(routes, path));
    }),
    { numRuns: 1_000 },
  );
});
