import { execFile } from 'node:child_process';
import { generateKeyPair, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ReveilleError } from '../errors.ts';

// Node.js makes keys and reads certificates, but cannot sign any. The program openssl is on every Debian machine (ca-certificates
// depends on it) and operators inspect certificates with it; an equivalent library is twenty packages.

/** A private key and the certificate of its public half, both PEM. */
export type SignedKey = { readonly key: string; readonly certificate: string };

/** The subject of a certificate, and the names and addresses under which others reach it. */
export type Subject = {
  readonly commonName: string;
  readonly organization: string;
  readonly dns: readonly string[];
  readonly ips: readonly string[];
};

/** The certificate's lifetime, in ms since the epoch. */
export type Life = { readonly from: number; readonly to: number };

/**
 * Makes a key (ECDSA on P-256) and a certificate for it: signed by `authority`, for servers and clients; without one, a
 * self-signed authority. `scratch` is a folder for private files, which are removed afterwards. Throws TOOL_MISSING, or
 * SERVER_FAILED with openssl's output.
 */
export async function signKey(
  subject: Subject,
  { from, to }: Life,
  authority: SignedKey | undefined,
  scratch: string,
): Promise<SignedKey> {
  const kind = authority === undefined ? 'authority' : 'node';
  return sign(kind, await newKey(), subject, { from, to }, authority, scratch);
}

/** Makes a certificate of a server, signed by itself, for `key` (PEM) or a new one. Throws as `signKey` does. */
export async function signServerKey(
  subject: Subject,
  life: Life,
  key: string | undefined,
  scratch: string,
): Promise<SignedKey> {
  return sign('server', key ?? (await newKey()), subject, life, undefined, scratch);
}

async function newKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

async function sign(
  kind: Kind,
  key: string,
  subject: Subject,
  { from, to }: Life,
  authority: SignedKey | undefined,
  scratch: string,
): Promise<SignedKey> {
  const folder = await mkdtemp(join(scratch, SIGNING));
  try {
    const file = (name: string) => join(folder, name);
    const keep = (name: string, text: string) => writeFile(file(name), text, { mode: 0o600 });
    await keep('config', configOf(subject, kind, folder));
    await keep('key', key);
    await keep('authority-key', authority?.key ?? key);
    await keep('authority', authority?.certificate ?? '');
    await keep('index', '');
    const config = ['-config', file('config')];
    await openssl('req', '-new', '-batch', ...config, '-key', file('key'), '-out', file('request'));
    const by = authority ? ['-cert', file('authority')] : ['-selfsign'];
    const dates = ['-startdate', time(from), '-enddate', time(to)];
    const files = ['-keyfile', file('authority-key'), '-in', file('request'), '-out', file('certificate')];
    await openssl('ca', '-batch', '-notext', ...config, ...by, ...dates, ...files);
    const certificate = await readFile(file('certificate'), 'utf8');
    return { key, certificate: new X509Certificate(certificate).toString() };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const SIGNING = 'signing-';

/** Removes private files of a killed program from `scratch`. No signing may be in progress. */
export async function removeLeftovers(scratch: string): Promise<void> {
  for (const name of await readdir(scratch)) {
    if (name.startsWith(SIGNING)) await rm(join(scratch, name), { recursive: true, force: true });
  }
}

/** What a certificate is for: a node, which is server and client; the authority that signs theirs; a server that signs its own. */
type Kind = 'node' | 'authority' | 'server';

/** openssl's configuration; see config(5ssl), ca(1ssl), x509v3_config(5ssl). */
function configOf({ commonName, organization, dns, ips }: Subject, kind: Kind, folder: string): string {
  for (const text of [commonName, organization, ...dns, ...ips])
    if (!/^[A-Za-z0-9:][A-Za-z0-9 .:_-]*$/.test(text))
      throw new Error(`${JSON.stringify(text)} cannot stand in a certificate`);
  const names = [...dns.map((name) => `DNS:${name}`), ...ips.map((ip) => `IP:${ip}`)];
  // No keyUsage for nodes: libvirt and QEMU before 2025 require keyEncipherment in it, which RFC 8813 forbids for such keys.
  const extensions =
    kind !== 'authority'
      ? [
          'basicConstraints=critical,CA:FALSE',
          kind === 'node' ? 'extendedKeyUsage=serverAuth,clientAuth' : 'extendedKeyUsage=serverAuth',
          `subjectAltName=${names.join(',')}`,
        ]
      : ['basicConstraints=critical,CA:TRUE,pathlen:0', 'keyUsage=critical,keyCertSign,cRLSign'];
  return `
[req]
prompt=no
string_mask=utf8only
distinguished_name=subject
[subject]
O=${organization.slice(0, LONGEST_NAME)}
CN=${commonName.slice(0, LONGEST_NAME)}
[ca]
default_ca=authority
[authority]
database=${folder}/index
new_certs_dir=${folder}
rand_serial=yes
default_md=sha256
policy=policy
x509_extensions=extensions
[policy]
organizationName=supplied
commonName=supplied
[extensions]
${extensions.join('\n')}
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
`;
}

/** X.520's upper bound of both names. */
const LONGEST_NAME = 64;
const PATIENCE_MS = 20_000;

async function openssl(...args: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)('openssl', args, { timeout: PATIENCE_MS, env: { PATH: process.env.PATH, LC_ALL: 'C' } });
  } catch (cause) {
    const { code, stderr = '' } = cause as { code?: unknown; stderr?: string };
    if (code === 'ENOENT') {
      const hint = 'apt install openssl';
      throw new ReveilleError('TOOL_MISSING', 'openssl is not installed: it signs certificates', {
        hint,
        cause,
      });
    }
    const printed = stderr.trim().split('\n').at(-1);
    throw new ReveilleError('SERVER_FAILED', `openssl ${args[0]} failed: ${printed || 'it printed nothing'}`, {
      cause,
    });
  }
}

/** `20261123024500Z` (RFC 5280 4.1.2.5.2). */
function time(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`;
}
