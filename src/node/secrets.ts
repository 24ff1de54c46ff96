/** A private key as files hold it: PEM and OpenSSH's form (RFC 7468; openssh PROTOCOL.key). */
const PRIVATE_KEY =
  /-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----[\s\S]*?(-----END [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----|$)/g;

/** What stands where a secret stood. */
export const KEPT_PRIVATE = '(kept private)';

/** Whether a text holds a private key or one of these values. */
export function hasSecret(text: string, values: ReadonlySet<string>): boolean {
  return text.search(PRIVATE_KEY) >= 0 || [...values].some((value) => text.includes(value));
}

/** The text with `(kept private)` for each private key and each of these values in it. */
export function withoutSecrets(text: string, values: ReadonlySet<string>): string {
  let hidden = text.replace(PRIVATE_KEY, KEPT_PRIVATE);
  for (const value of values) hidden = hidden.replaceAll(value, KEPT_PRIVATE);
  return hidden;
}
