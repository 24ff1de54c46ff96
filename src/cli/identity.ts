import { type IdentityParts, identityFrom, isWhole } from '../node/identity.ts';
import { type SshKey, sshFingerprint } from '../node/opensshKey.ts';

/** What of a node's identity anybody may see; `null` as long as none has been made. */
export function publicIdentity(parts: IdentityParts): Record<string, unknown> | null {
  if (!isWhole(parts)) return null;
  const { sshHostKeys, novaKey, ...plain } = identityFrom(parts);
  const open = (key: SshKey) => ({ public: key.public, fingerprint: sshFingerprint(key.public) });
  return {
    ...plain,
    sshHostKeys: Object.fromEntries(
      Object.entries(sshHostKeys).map(([type, key]: [string, SshKey]) => [type, open(key)]),
    ),
    ...(novaKey ? { novaKey: open(novaKey) } : {}),
  };
}
