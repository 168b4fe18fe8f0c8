import { UsageError } from "./exit_codes.ts";

export interface AddressConsent {
  readonly insecureTcp?: boolean | undefined;
  readonly yesReally?: boolean | undefined;
}

/**
 * Checks a control-plane address that a user gave.
 * @returns A warning to show, or `null`: plain TCP is not encrypted, and nobody is asked who they are.
 * @throws {UsageError} If it is no ZeroMQ address, or plain TCP beyond this machine without consent.
 */
export function checkAddress(address: string, consent: AddressConsent): string | null {
  if (/^ipc:\/\/.+/.test(address)) return null;
  const host = /^tcp:\/\/(\[[^\]]+\]|[^:/]+):(\d+|\*)$/.exec(address)?.[1];
  if (host === undefined) {
    throw new UsageError(
      `Cannot use the address as it must be tcp://HOST:PORT or ipc://PATH: got ${address}`,
    );
  }
  if (/^(localhost|127(\.\d+){3}|\[::1\])$/.test(host)) {
    return `${address} is plain TCP: every user of this machine can reach it`;
  }
  if (consent.insecureTcp && consent.yesReally) {
    return `${address} is plain TCP: whoever reaches it can run code on the workers`;
  }
  throw new UsageError(
    `Cannot use ${address} as plain TCP must stay on this machine: say --insecure-tcp --yes-really ` +
      "if the network is yours alone",
  );
}
