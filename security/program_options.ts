/**
 * The few options of a command line that decide what its program may touch. [pure]
 *
 * They have to be known before the program starts, so they are read here without knowing any other
 * option: `--name value` and `--name=value`, up to a bare `--`. What is wrong with them is for the
 * program itself to say; a missing value just grants nothing.
 */
export interface ProgramOptions {
  /** The value of an option, the last one if it was given twice. */
  one(name: string): string | undefined;
  /** Every value of an option that may be repeated. */
  all(name: string): string[];
}

export function readProgramOptions(args: readonly string[]): ProgramOptions {
  const end = args.indexOf("--");
  const words = end < 0 ? args : args.slice(0, end);
  const all = (name: string) =>
    words.flatMap((word, index) => valueOf(name, word, words[index + 1]));
  return { all, one: (name) => all(name).at(-1) };
}

function valueOf(name: string, word: string, next: string | undefined): string[] {
  if (word === `--${name}`) return next === undefined ? [] : [next];
  const prefix = `--${name}=`;
  return word.startsWith(prefix) ? [word.slice(prefix.length)] : [];
}
