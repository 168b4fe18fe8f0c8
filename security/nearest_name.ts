/** For "did you mean": the name most like the one that was written, or `null` if none is close. */
export function nearestName(written: string, names: readonly string[]): string | null {
  const word = written.toLowerCase();
  const started = names.find((name) => name.startsWith(word) || word.startsWith(name));
  if (started !== undefined && word.length > 2) return started;
  const editsMax = Math.max(1, Math.floor(word.length / 3));
  const ranked = names
    .map((name) => ({ name, edits: editsBetween(word, name.toLowerCase()) }))
    .filter(({ edits }) => edits <= editsMax)
    .sort((a, b) => a.edits - b.edits);
  return ranked[0]?.name ?? null;
}

/** Levenshtein's distance, by rows. */
function editsBetween(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const change = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(change, previous[column]! + 1, current[column - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}
