/**
 * Times 1,000 rules against 1,000,000 files: rules of one extension each, rules that all share one
 * extension (told apart by how they begin), and, on fewer files, the worst case: rules that begin
 * and end in a star, so that every file asks every rule.
 * `deno run tests/bench/routing_bench.ts [--json]`
 */
import { compileRoutes, type Route } from "../../sentinel/routing.ts";

const RULES = 1_000;
const FILES = 1_000_000;

interface Kind {
  files: number;
  patternOf(index: number): string;
}

const kinds: Record<string, Kind> = {
  "one extension each": { files: FILES, patternOf: (index) => `*.x${index}` },
  "one extension, own beginnings": { files: FILES, patternOf: (index) => `feed${index}_*.csv` },
  "no beginning, no end": { files: FILES / 100, patternOf: (index) => `*_${index}_*` },
};

function routesOf(patternOf: Kind["patternOf"]): Route[] {
  return Array.from({ length: RULES }, (_, index) => {
    return { id: `${index}`, pattern: patternOf(index), target: "plugin" };
  });
}

function measure({ files, patternOf }: Kind): Record<string, number> {
  const startMs = performance.now();
  const matcher = compileRoutes(routesOf(patternOf));
  const compiledMs = performance.now();
  let matches = 0;
  for (let file = 0; file < files; file++) {
    const rule = file % (2 * RULES); // every second file is nobody's
    const extension = rule % 2 ? `x${rule}` : "csv";
    matches += matcher.match(`day${file % 365}/feed${rule}_${rule}_${file}.${extension}`).length;
  }
  const matchMs = performance.now() - compiledMs;
  return {
    files,
    compileMs: Math.round(compiledMs - startMs),
    matchMs: Math.round(matchMs),
    matches,
  };
}

if (import.meta.main) {
  const results = Object.fromEntries(
    Object.entries(kinds).map(([name, kind]) => [name, measure(kind)]),
  );
  if (Deno.args.includes("--json")) console.log(JSON.stringify({ rules: RULES, results }));
  else console.table(results);
}
