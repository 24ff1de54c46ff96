import type { SignedKey } from './openssl.ts';

/** Where keys and their certificates last, by the names of nodes; the authority's under the empty name. Calls reject with STATE_UNAVAILABLE. */
export type CertificateStore = {
  read(name: string): Promise<SignedKey | undefined>;
  /** Keeps `next` if what is kept under the name is `before`, or nothing; gives what is kept then. */
  keep(name: string, next: SignedKey, before: SignedKey | undefined): Promise<SignedKey>;
};
