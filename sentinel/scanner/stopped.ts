/** Thrown through whatever the thread is doing when it is told to stop. */
export class Stopped extends Error {
  override name = "Stopped";
}
