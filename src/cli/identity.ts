import { X509Certificate } from 'node:crypto';
import { identityFrom, isWhole } from '../node/identity.ts';
import type { IdentityParts } from '../node/identityStore.ts';
import { type SshKey, sshFingerprint } from '../node/opensshKey.ts';

/** What of a node's identity, and of its certificate (PEM), anybody may see; `null` as long as none has been made. */
export function publicIdentity(parts: IdentityParts, certificate?: string): Record<string, unknown> | null {
  if (!isWhole(parts)) return null;
  const { sshHostKeys, novaKey, ...plain } = identityFrom(parts);
  const open = (key: SshKey) => ({ public: key.public, fingerprint: sshFingerprint(key.public) });
  return {
    ...plain,
    sshHostKeys: Object.fromEntries(
      Object.entries(sshHostKeys).map(([type, key]: [string, SshKey]) => [type, open(key)]),
    ),
    ...(novaKey ? { novaKey: open(novaKey) } : {}),
    ...(certificate === undefined ? {} : { certificate: certificateWords(new X509Certificate(certificate)) }),
  };
}

function certificateWords({ subjectAltName, validFromDate, validToDate, fingerprint256 }: X509Certificate) {
  const day = (date: Date) => date.toISOString().slice(0, 10);
  return { names: subjectAltName, from: day(validFromDate), to: day(validToDate), fingerprint: fingerprint256 };
}
