/** A private key as files hold it: PEM and OpenSSH's form (RFC 7468; openssh PROTOCOL.key). */
const PRIVATE_KEY =
  /-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----[\s\S]*?(-----END [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----|$)/g;

/** What stands where a secret stood. */
export const KEPT_PRIVATE = '(kept private)';

export function hasPrivateKey(text: string): boolean {
  return text.search(PRIVATE_KEY) >= 0;
}

/** The text with `(kept private)` for each private key in it. */
export function withoutPrivateKeys(text: string): string {
  return text.replace(PRIVATE_KEY, KEPT_PRIVATE);
}
