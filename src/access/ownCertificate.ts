import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type SignedKey, type Subject, signServerKey } from '../node/openssl.ts';

/** The names and addresses under which clients reach the server. */
export type ServerNames = Pick<Subject, 'dns' | 'ips'>;

const DAY_MS = 86_400_000;
/** Clients pin it: it lasts as long as machines do. */
const LIFE_MS = 10 * 365 * DAY_MS;
const BACKDATED_MS = 2 * DAY_MS;
/** It is made anew when so much of its life is left. */
const RENEW_MS = 60 * DAY_MS;

/**
 * The certificate that the server makes for itself, kept in `folder` (files `certificate.pem` and `key.pem`, 0600): made at first, and anew, with
 * the same key, where it ends soon or lacks one of `names`. Names that it has besides stay in it until then. Throws as `signServerKey` and
 * the file system do.
 */
export async function ownCertificate(folder: string, names: ServerNames, now: number): Promise<SignedKey> {
  const kept = await readKept(folder);
  if (kept?.certificate !== undefined && isFit(new X509Certificate(kept.certificate), names, now))
    return { key: kept.key, certificate: kept.certificate };
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const subject = { commonName: names.dns[0] ?? 'reveille', organization: 'Reveille', ...names };
  const signed = await signServerKey(subject, { from: now - BACKDATED_MS, to: now + LIFE_MS }, kept?.key, folder);
  // The key first: a certificate without its key is of no use.
  await put(join(folder, 'key.pem'), signed.key);
  await put(join(folder, 'certificate.pem'), signed.certificate);
  return signed;
}

/** What pins a certificate: its SHA-256, 64 hex digits. */
export function fingerprintOf(certificate: string): string {
  return new X509Certificate(certificate).fingerprint256.replaceAll(':', '').toLowerCase();
}

/** Whether it still lasts, and has these names. */
function isFit(certificate: X509Certificate, { dns, ips }: ServerNames, now: number): boolean {
  if (now < certificate.validFromDate.getTime() || certificate.validToDate.getTime() - now < RENEW_MS) return false;
  return dns.every((name) => certificate.checkHost(name)) && ips.every((ip) => certificate.checkIP(ip));
}

/** What is there of key and certificate; a certificate that is not the key's, or cannot be read, does not count. */
async function readKept(folder: string): Promise<{ key: string; certificate?: string } | undefined> {
  try {
    const key = await readFile(join(folder, 'key.pem'), 'utf8');
    const made = createPrivateKey(key);
    const certificate = await readFile(join(folder, 'certificate.pem'), 'utf8').catch(() => '');
    try {
      if (new X509Certificate(certificate).checkPrivateKey(made)) return { key, certificate };
    } catch {}
    return { key };
  } catch {
    return undefined;
  }
}

async function put(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
}
