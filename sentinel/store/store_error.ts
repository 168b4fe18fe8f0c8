/** The database cannot be used: the message says which, why and what to do. */
export class StoreError extends Error {
  override name = "StoreError";
}
