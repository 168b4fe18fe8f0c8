/** An environment that can not be made, and why: the author's or the operator's to mend. */
export class EnvironmentError extends Error {
  override name = "EnvironmentError";
}
