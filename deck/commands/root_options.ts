/** The options by which files arrive in a root, the same for `roots add`, `roots set` and `start`. */
import { type Command, Option } from "commander";
import type { RootRules } from "../../protocol/records.ts";
import { wholeNumber } from "./client.ts";

export interface RootOptions {
  readonly settle?: number;
  readonly patience?: number;
  readonly poll?: number;
  readonly pollOnly?: "yes" | "no" | "auto";
  /** False for --no-marker, and so on. */
  readonly marker?: string | false;
  readonly partial?: readonly string[] | false;
  readonly ignore?: readonly string[] | false;
}

const MONTH_MS = 30 * 24 * 3600 * 1000;

export function withRootOptions(command: Command): Command {
  const ms = (min: number) => wholeNumber(min, MONTH_MS);
  return command
    .option("--settle <ms>", "how long a file must have been unchanged (default: 2000)", ms(0))
    .option(
      "--patience <ms>",
      "how long one without its end must have been, to be taken as it is (default: 10 × settle, at least 60000)",
      ms(0),
    )
    .option("--poll <ms>", "how often to look, at least (default: 10000)", ms(100))
    .addOption(
      new Option("--poll-only [when]", "a share: rely on no events, clock or inode of it")
        .choices(["yes", "no", "auto"]).preset("yes"),
    )
    .option(
      "--marker <name>",
      "a file counts only beside its marker: '*.done', '{stem}.ok', _SUCCESS",
    )
    .option("--no-marker", "files need no marker")
    .option(
      "--partial <glob>",
      "names of what is still being written; 'default': the usual ones; may be repeated",
      globs,
    )
    .option("--no-partial", "no name says that")
    .option(
      "--ignore <glob>",
      "what never counts: a name, or with '/' a path; may be repeated",
      globs,
    )
    .option("--no-ignore", "all counts");
}

/** What was given, and nothing else. */
export function rulesOf(options: RootOptions): RootRules {
  const { settle, patience, poll, pollOnly, marker, partial, ignore } = options;
  const given = {
    settle_ms: settle,
    patience_ms: patience,
    poll_ms: poll,
    poll_only: pollOnly === undefined ? undefined : pollOnly === "auto" ? null : pollOnly === "yes",
    marker: marker === false ? null : marker,
    partial: partial === false ? [] : partial,
    ignore: ignore === false ? [] : ignore,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function globs(text: string, before: readonly string[] | false | undefined): string[] {
  return [...before || [], text];
}
