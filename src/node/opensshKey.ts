import { createHash, generateKeyPair, type KeyObject, randomBytes, type webcrypto } from 'node:crypto';
import { promisify } from 'node:util';

/** The kinds of host keys, by the names that sshd's own files have: `ssh_host_ed25519_key`. */
export const SSH_KEY_TYPES = ['ed25519', 'ecdsa', 'rsa'] as const;
export type SshKeyType = (typeof SSH_KEY_TYPES)[number];

/** A key pair as OpenSSH keeps it: the one line of its public half, and the private half as the text of its file. */
export type SshKey = { readonly public: string; readonly private: string };

/** Makes a key pair, away from the event loop: Ed25519, ECDSA on P-256, or RSA of 3072 bits, which takes some 0.2 s. */
export async function makeSshKey(type: SshKeyType, comment: string): Promise<SshKey> {
  const { privateKey } = await generate[type]();
  return encodeSshKey(privateKey, comment);
}

const pair = promisify(generateKeyPair);
const generate: { readonly [T in SshKeyType]: () => Promise<{ readonly privateKey: KeyObject }> } = {
  ed25519: () => pair('ed25519'),
  ecdsa: () => pair('ec', { namedCurve: 'P-256' }),
  rsa: () => pair('rsa', { modulusLength: 3072 }),
};

/** Writes a private key in OpenSSH's own form (PROTOCOL.key, "openssh-key-v1"), without a passphrase. */
export function encodeSshKey(key: KeyObject, comment: string, check: Uint8Array = randomBytes(4)): SshKey {
  const { type, open, secret } = fields(key.export({ format: 'jwk' }));
  const publicBlob = Buffer.concat([string(type), ...open]);
  const section = Buffer.concat([check, check, string(type), ...secret, string(comment)]);
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7].slice(0, (8 - (section.length % 8)) % 8));
  const blob = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    string('none'), // cipher
    string('none'), // key derivation
    string(''), // its options
    u32(1), // keys in this file
    string(publicBlob),
    string(Buffer.concat([section, padding])),
  ]);
  const lines = blob.toString('base64').match(/.{1,70}/g) ?? [];
  return {
    public: `${type} ${publicBlob.toString('base64')} ${comment}`,
    private: ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n'),
  };
}

/** `SHA256:...` of a public key's line, as `ssh-keygen -l` shows it. */
export function sshFingerprint(publicLine: string): string {
  const blob = Buffer.from(publicLine.split(' ')[1] ?? '', 'base64');
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

/** A key's type, the fields of its public half, and those of its private half (RFC 4253 6.6, RFC 5656 3.1, RFC 8709 4). */
function fields(jwk: webcrypto.JsonWebKey): {
  readonly type: string;
  readonly open: Buffer[];
  readonly secret: Buffer[];
} {
  const { n, e, d, p, q, qi, x, y } = Object.fromEntries(
    Object.entries(jwk).map(([name, value]) => [name, Buffer.from(String(value), 'base64url')]),
  );
  if (jwk.kty === 'RSA' && n && e && d && p && q && qi) {
    return { type: 'ssh-rsa', open: [mpint(e), mpint(n)], secret: [n, e, d, qi, p, q].map(mpint) };
  }
  if (jwk.kty === 'EC' && jwk.crv === 'P-256' && x && y && d) {
    const open = [string('nistp256'), string(Buffer.concat([Buffer.of(4), x, y]))];
    return { type: 'ecdsa-sha2-nistp256', open, secret: [...open, mpint(d)] };
  }
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519' && x && d) {
    return { type: 'ssh-ed25519', open: [string(x)], secret: [string(x), string(Buffer.concat([d, x]))] };
  }
  throw new Error(`OpenSSH knows no host key of kind ${jwk.kty} ${jwk.crv ?? ''}`);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function string(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u32(bytes.length), bytes]);
}

/** RFC 4251 5: no needless zeros in front, but one where the highest bit is set. */
function mpint(value: Uint8Array): Buffer {
  let start = 0;
  while (start < value.length && value[start] === 0) start++;
  const bytes = value.subarray(start);
  return string((bytes[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}
