import type { SignedKey } from './openssl.ts';

/**
 * Stores keys and their certificates by the names of nodes; the authority's under the empty name. Calls reject with
 * STATE_UNAVAILABLE.
 */
export type CertificateStore = {
  read(name: string): Promise<SignedKey | undefined>;
  /** Stores `next` if the stored value is `before`, or if there is none; returns what is stored then. */
  keep(name: string, next: SignedKey, before: SignedKey | undefined): Promise<SignedKey>;
};
