/**
 * A message that breaks the protocol: the peer's fault, never ours. Whoever catches it counts it and
 * answers ERR at most once a second per peer, and never to an ERR.
 */
export class ProtocolError extends Error {
  override name = "ProtocolError";
  constructor(
    readonly part: string,
    readonly must: string,
    readonly got: unknown,
    options?: ErrorOptions,
  ) {
    super(`Cannot decode ${part} as it must be ${must}: got ${got}`, options);
  }
}
