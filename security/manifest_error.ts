/** A plugin's file that cannot be published as it stands: its author's to mend, at the place given. */
export class ManifestError extends Error {
  override name = "ManifestError";
  /** @param at Where in the file, both counted from 1; `null` when it is about something that is missing. */
  constructor(
    readonly problem: string,
    readonly at: { line: number; column: number } | null = null,
  ) {
    super(at === null ? problem : `Line ${at.line}, column ${at.column}: ${problem}`);
  }
}
