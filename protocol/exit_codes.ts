/** What every command ends with. */
export const EXIT = { ok: 0, error: 1, usage: 2, someFailed: 3, interrupted: 130 } as const;

/** An error that is told as it stands and ends the command with `exitCode`. */
export class CliError extends Error {
  override name = "CliError";
  constructor(message: string, readonly exitCode: number = EXIT.error, options?: ErrorOptions) {
    super(message, options);
  }
}

/** The command line is wrong: what was asked, the rule, what was given. */
export class UsageError extends CliError {
  override name = "UsageError";
  constructor(message: string) {
    super(message, EXIT.usage);
  }
}
