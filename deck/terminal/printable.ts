/**
 * Text from files, plugins and file names, safe to print: control characters (a newline in a file's
 * name, a colour code in a traceback) are shown as escapes and cannot steer the terminal.
 */
export function printable(text: string): string {
  return text.replace(CONTROL, (character) => ESCAPES[character] ?? hexEscape(character));
}

// C0, DEL, C1, and what turns the direction of a line around.
// deno-lint-ignore no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;
const ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function hexEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** The text in at most `columns`, with an ellipsis where something is left out. */
export function fitted(text: string, columns: number): string {
  const characters = [...text];
  if (characters.length <= columns) return text;
  return characters.slice(0, Math.max(0, columns - 1)).join("") + "…";
}
