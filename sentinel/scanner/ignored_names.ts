const BEGINNINGS = [".", "~$"];
const ENDINGS = [".tmp", ".part", ".crdownload", ".swp"];
const NAMES = ["Thumbs.db"];

const IGNORED = new RegExp(
  `^(?:${either(BEGINNINGS)})|(?:${either(ENDINGS)})$|^(?:${either(NAMES)})$`,
  "i", // half of these come from Windows
);

/**
 * Names that are never data: hidden ones, and what programs leave while they are still writing. A
 * folder of such a name is not walked.
 */
export function isIgnored(name: string): boolean {
  return IGNORED.test(name);
}

function either(literals: string[]): string {
  return literals.map((literal) => literal.replace(/[.$]/g, "\\$&")).join("|");
}
