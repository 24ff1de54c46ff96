import { type Identity, type IdentityParts, identityFrom, isWhole } from '../node/identity.ts';
import { sshFingerprint } from '../node/opensshKey.ts';

/** What of a node's identity anybody may see; `null` as long as none has been made. */
export function publicIdentity(parts: IdentityParts): Record<string, unknown> | null {
  if (!isWhole(parts)) return null;
  const { sshHostKeys, ...plain } = identityFrom(parts);
  const keys = Object.entries(sshHostKeys).map(([type, key]: [string, Identity['sshHostKeys']['ed25519']]) => [
    type,
    { public: key.public, fingerprint: sshFingerprint(key.public) },
  ]);
  return { ...plain, sshHostKeys: Object.fromEntries(keys) };
}
