/** As much of TOML as a PEP 723 block needs: top-level keys, strings, lists of strings, names of tables. */

const BLANK_LINES = /(?:[ \t\n]|#.*)*/y;
const LINE_END = /[ \t]*(?:#.*)?(?:\n|$)/y;
const KEY = /(?:[A-Za-z0-9_-]+|"[^"\\\n]*"|'[^'\n]*')(?:\.[A-Za-z0-9_-]+)*/y;
const EQUALS = /[ \t]*=[ \t]*/y;
const STRING = /"""|'''|"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)'/y;
const TABLE = /^[ \t]*\[\[?[ \t]*([A-Za-z0-9_.-]+)[ \t]*\]/gm;
const ESCAPES: Readonly<Record<string, string>> = {
  b: "\b",
  t: "\t",
  n: "\n",
  f: "\f",
  r: "\r",
  '"': '"',
  "\\": "\\",
};

export class TomlReader {
  #at = 0;

  /** @param errorAt Makes the error to throw, for a line counted from 0. */
  constructor(
    private readonly text: string,
    private readonly errorAt: (lineIndex: number, problem: string) => Error,
  ) {}

  /** The next top-level key, its value to be read next; `null` at the first table or the end. */
  nextKey(): string | null {
    this.#take(BLANK_LINES);
    if (this.#at === this.text.length || this.text[this.#at] === "[") return null;
    const key = this.#take(KEY)?.[0] ?? this.refuse('Cannot read this line: write key = "value"');
    if (this.#take(EQUALS) === null) this.refuse(`Cannot find "=" after ${key}`);
    return key.replace(/^(["'])(.*)\1$/, "$2");
  }

  readString(): string {
    const text = this.#string();
    this.#endLine();
    return text;
  }

  readStrings(): string[] {
    if (!this.#takeMark("[")) this.refuse('Cannot read the list: write ["first", "second"]');
    const texts: string[] = [];
    for (;;) {
      this.#take(BLANK_LINES);
      if (this.#takeMark("]")) break;
      texts.push(this.#string());
      this.#take(BLANK_LINES);
      if (this.#takeMark(",")) continue;
      if (this.#takeMark("]")) break;
      this.refuse('Cannot find "," or "]" in the list');
    }
    this.#endLine();
    return texts;
  }

  /** The names of the tables in what is left; nothing of their content. */
  *tables(): Generator<string> {
    TABLE.lastIndex = this.#at;
    for (const match of this.text.matchAll(TABLE)) {
      this.#at = match.index;
      yield match[1]!;
    }
  }

  refuse(problem: string): never {
    throw this.errorAt(this.text.slice(0, this.#at).split("\n").length - 1, problem);
  }

  #string(): string {
    const match = this.#take(STRING);
    if (match === null) {
      this.refuse('Cannot read the value: write a string in quotes, such as "polars"');
    }
    const [whole, basic, literal] = match!;
    if (whole.length === 3 && basic === undefined && literal === undefined) {
      this.refuse("Cannot read a string of several lines: write it in one");
    }
    return literal ?? basic!.replace(/\\(u[\da-fA-F]{4}|.)/g, (_, name) => this.#escape(name));
  }

  #escape(name: string): string {
    if (name.length === 5) return String.fromCharCode(parseInt(name.slice(1), 16));
    return ESCAPES[name] ?? this.refuse(`Cannot read the escape \\${name}: double the backslash`);
  }

  #endLine(): void {
    if (this.#take(LINE_END) === null) {
      this.refuse("Cannot read what follows the value in its line");
    }
  }

  #takeMark(mark: string): boolean {
    const found = this.text[this.#at] === mark;
    if (found) this.#at++;
    return found;
  }

  #take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.text);
    if (match !== null) this.#at = pattern.lastIndex;
    return match;
  }
}
