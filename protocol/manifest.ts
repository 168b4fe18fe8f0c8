/**
 * What a plugin says about itself: the fields of its `MANIFEST`, checked and with every default filled in.
 *
 * The same schema reads the literal of a Python file (security/manifest_reader.ts) and the JSON that a
 * sentinel stored of it, so parsing a parsed manifest changes nothing.
 */
import * as z from "zod";
import { TOPIC_PATTERN } from "./ids.ts";
import { PAUSE_AFTER_MAX, WEIGHT_MAX } from "./scheduling_bounds.ts";

export const PLUGIN_NAME_PATTERN = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;
export const PLUGIN_VERSION_PATTERN = /^[A-Za-z0-9][A-Za-z0-9.+_-]{0,63}$/;
/** "3.11", or the clauses of PEP 440 such as ">=3.10,<3.14". */
export const PYTHON_VERSION_PATTERN =
  /^(\d+(\.\d+){0,2}|\s*(~=|===?|!=|<=?|>=?)\s*\d+(\.\d+)*(\.\*)?\s*(,\s*(~=|===?|!=|<=?|>=?)\s*\d+(\.\d+)*(\.\*)?\s*)*)$/;

const PATTERNS_MAX = 64;
const PATTERN_CHARS_MAX = 1024;
const TOPICS_MAX = 64;
const TAGS_MAX = 64;
const PRIORITY_MAX = 100;
const RETRIES_MAX = 10;
const TIMEOUT_S_MAX = 7 * 24 * 60 * 60;
const MEMORY_MB_MAX = 1024 * 1024;

const must = (rule: string) => ({ error: `must be ${rule}` });

const NAME_RULE = "a name of at most 64 letters, digits, '_', '.' and '-'";
const TOPIC_RULE = "a name of at most 128 letters, digits, '_', '.' and '-' (no '.' or '-' first)";
const PATTERN_RULE = `a glob such as "*.csv" or "sales/**/*.csv", seen from the source root`;
const TAG_RULE = "a list of tags, each of at most 64 letters, digits, '_', '.' and '-'";

const PluginName = z.string(must(NAME_RULE)).regex(PLUGIN_NAME_PATTERN, must(NAME_RULE));
const Topic = z.string(must(TOPIC_RULE)).regex(TOPIC_PATTERN, must(TOPIC_RULE));

/** A pattern that starts with "/" or "./", or climbs with "..", could never match a relative path. */
const isRelativeGlob = (glob: string) =>
  glob.trim() === glob && !/^(\.?\/|$)/.test(glob) && !glob.split("/").includes("..");
const Pattern = z.string(must(PATTERN_RULE)).max(PATTERN_CHARS_MAX)
  .refine(isRelativeGlob, must(PATTERN_RULE));

const asList = (value: unknown) => typeof value === "string" ? [value] : value;
const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === "string");
const asTopicSchemas = (value: unknown) =>
  isTexts(value) ? Object.fromEntries(value.map((topic) => [topic, null])) : value;

const Fields = z.strictObject({
  /** Which files the plugin takes: any of these globs. Without "/" a glob is about the file's name alone. */
  pattern: z.preprocess(
    asList,
    z.array(Pattern, must(`${PATTERN_RULE}, or a list of them`))
      .min(1, must("at least one glob")).max(PATTERNS_MAX, must(`at most ${PATTERNS_MAX} globs`)),
  ),
  name: PluginName,
  version: z.string(must(`a string such as "1.2"`))
    .regex(PLUGIN_VERSION_PATTERN, must(`a short string such as "1.2", without blanks and "@"`))
    .default("0"),
  /** Where a table goes that the plugin yields without naming a topic. */
  topic: Topic.optional(),
  /** The topics it may write, each with its schema (null: taken from the data); absent: any topic. */
  topics: z.preprocess(
    asTopicSchemas,
    z.record(Topic, z.unknown(), must("a list of topic names, or a dict of name to schema"))
      .refine((topics) => Object.keys(topics).length > 0, must("at least one topic"))
      .refine(
        (topics) => Object.keys(topics).length <= TOPICS_MAX,
        must(`at most ${TOPICS_MAX} topics`),
      )
      .optional(),
  ).optional(),
  tags: z.array(
    z.string(must(TAG_RULE)).regex(PLUGIN_NAME_PATTERN, must(TAG_RULE)),
    must(TAG_RULE),
  ).max(TAGS_MAX, must(`at most ${TAGS_MAX} tags`)).default([]),
  /** Higher runs first. */
  priority: wholeNumber(-PRIORITY_MAX, PRIORITY_MAX).default(0),
  /** Its share of the workers beside other plugins of the same priority, by default 1. */
  weight: wholeNumber(1, WEIGHT_MAX).optional(),
  timeout_s: z.number(must("a number of seconds")).positive(must("more than 0 seconds"))
    .max(TIMEOUT_S_MAX, must(`at most ${TIMEOUT_S_MAX} seconds, a week`)).optional(),
  memory_mb: wholeNumber(1, MEMORY_MB_MAX).optional(),
  /** A file that runs out of `memory_mb` is run once more with so much. */
  memory_mb_max: wholeNumber(1, MEMORY_MB_MAX).optional(),
  retries: wholeNumber(0, RETRIES_MAX).optional(),
  /** So many failures in a row, over all files, pause the plugin; 0: never. */
  pause_after: wholeNumber(0, PAUSE_AFTER_MAX).optional(),
  /** "plugin": one process serves many jobs of this plugin; "job": a fresh process for each job. */
  isolation: z.enum(["plugin", "job"], must(`"plugin" or "job"`)).default("plugin"),
  python: z.string(must(`a string such as "3.11" or ">=3.10"`))
    .regex(PYTHON_VERSION_PATTERN, must(`a version such as "3.11" or ">=3.10,<3.14"`)).optional(),
  schema: z.unknown().optional(),
  expect: z.unknown().optional(),
  /** Handed to `configure(context, config)` as it stands. */
  config: z.record(z.string(), z.unknown(), must("a dict with strings as keys")).default({}),
});

function wholeNumber(min: number, max: number) {
  const rule = must(`a whole number from ${min} to ${max}`);
  return z.number(rule).int(rule).min(min, rule).max(max, rule);
}

export const MANIFEST_KEYS: readonly string[] = Object.keys(Fields.shape);

/**
 * A manifest as the rest of the program sees it: `pattern` always a list, `topic` always there (by default
 * the first of `topics`, else the plugin's name) and always one of `topics` where those are given.
 */
export const Manifest = Fields.refine(
  ({ memory_mb, memory_mb_max }) =>
    memory_mb === undefined || memory_mb_max === undefined || memory_mb_max > memory_mb,
  { path: ["memory_mb_max"], ...must("more than memory_mb") },
).transform((fields) => {
  const topic = fields.topic ?? Object.keys(fields.topics ?? {})[0] ?? fields.name;
  if (fields.topics === undefined) return { ...fields, topic };
  return { ...fields, topic, topics: { [topic]: null, ...fields.topics } };
});
export type Manifest = z.infer<typeof Manifest>;
