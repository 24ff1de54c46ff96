import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type ClientRequest, type RequestOptions, request } from 'node:http';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { ReveilleError, wordsOf } from '../errors.ts';

/** Flags that name a server on another machine, and how it is known; each may come from the environment. */
export type RemoteFlags = {
  readonly server?: string;
  readonly tokenFile?: string;
  readonly serverFingerprint?: string;
  readonly serverCa?: string;
};

/** A way on which requests get to a server. */
export type Way = {
  readonly headers: Readonly<Record<string, string>>;
  readonly request: (options: RequestOptions) => ClientRequest;
  /** Why it did not answer, in words. */
  readonly unreachable: (cause: Error) => ReveilleError;
};

type Named = RemoteFlags & { readonly server: string };

/**
 * The way to a server's API over TCP. Throws REQUEST_INVALID for flags that cannot be used. A server that is not the one of
 * `serverFingerprint`, or whose certificate no authority of `serverCa` (else of this system) has signed, gets no token.
 */
export async function wayOver(flags: Named): Promise<Way> {
  const url = urlOf(flags.server);
  const headers = { authorization: `Bearer ${await tokenIn(flags)}` };
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const at = { host, port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80) };
  const unreachable = (cause: Error) => unreachableAt(flags.server, cause);
  if (url.protocol === 'http:') return { headers, unreachable, request: (options) => request({ ...at, ...options }) };
  const trust = await trustOf(flags);
  const createConnection: RequestOptions['createConnection'] = (_, done) => {
    connectSecurely(at, trust).then(
      (socket) => done(null, socket),
      (error) => done(error, undefined as never),
    );
    return undefined;
  };
  return { headers, unreachable, request: (options) => request({ ...at, ...options, createConnection }) };
}

function urlOf(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.pathname !== '/' || url.search !== '')
    throw new ReveilleError('REQUEST_INVALID', `--server ${JSON.stringify(text)} is no URL of a server`, {
      hint: 'such as https://boot.example.org:8443',
    });
  // A token that goes over the network in the clear is everyone's.
  if (url.protocol === 'http:' && !/^(127\.[0-9.]+|localhost|\[::1\])$/.test(url.hostname))
    throw new ReveilleError('REQUEST_INVALID', `--server ${text} would send the token without TLS`, {
      hint: 'use https://; http:// is for a server on this machine alone',
    });
  return url;
}

async function tokenIn({ tokenFile }: Named): Promise<string> {
  if (tokenFile === undefined)
    throw new ReveilleError('REQUEST_INVALID', 'a server on another machine needs a token', {
      hint: '--token-file FILE, with what `reveille token create` printed there',
    });
  const text = await readFile(tokenFile, 'utf8').catch((cause: unknown) => {
    throw new ReveilleError('REQUEST_INVALID', `the token cannot be read: ${wordsOf(cause)}`, { cause });
  });
  const token = text.trim();
  if (/^[\x21-\x7e]{1,256}$/.test(token)) return token;
  throw new ReveilleError('REQUEST_INVALID', `${tokenFile} does not hold a token alone`, {
    hint: 'it is the line that `reveille token create` prints',
  });
}

/** How the server has to prove that it is the one that is meant. */
type Trust = { readonly pin: string } | { readonly ca: string | undefined };

async function trustOf({ serverFingerprint, serverCa }: Named): Promise<Trust> {
  if (serverFingerprint !== undefined) return { pin: pinOf(serverFingerprint) };
  if (serverCa === undefined) return { ca: undefined };
  try {
    return { ca: await readFile(serverCa, 'utf8') };
  } catch (cause) {
    throw new ReveilleError('REQUEST_INVALID', `--server-ca cannot be read: ${wordsOf(cause)}`, { cause });
  }
}

function pinOf(text: string): string {
  const pin = text
    .replace(/^sha256:/i, '')
    .replaceAll(':', '')
    .toLowerCase();
  if (/^[0-9a-f]{64}$/.test(pin)) return pin;
  throw new ReveilleError('REQUEST_INVALID', `--server-fingerprint ${JSON.stringify(text)} is no SHA-256`, {
    hint: 'it is the `sha256:…` that `reveille status` prints on the server',
  });
}

/** A connection on which nothing is sent before the server has proven itself. */
function connectSecurely(at: { readonly host: string; readonly port: number }, trust: Trust): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const name = isIP(at.host) === 0 ? { servername: at.host } : {};
  const proof = 'pin' in trust ? { rejectUnauthorized: false } : trust.ca === undefined ? {} : { ca: trust.ca };
  const socket = connect({ ...at, ...name, ...proof, minVersion: 'TLSv1.2' });
  socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error(`no answer within ${CONNECT_MS / 1000} s`)));
  socket.once('error', reject);
  socket.once('secureConnect', () => {
    socket.setTimeout(0);
    const found = createHash('sha256').update(socket.getPeerCertificate().raw).digest('hex');
    if ('pin' in trust && found !== trust.pin) {
      socket.destroy();
      reject(
        new ReveilleError('CERTIFICATE_INVALID', `the server has another certificate: sha256:${found}`, {
          hint: 'nothing was sent to it; `reveille status` on the server prints the fingerprint of its own',
        }),
      );
    } else resolve(socket);
  });
  return promise;
}

const CONNECT_MS = 10_000;

/** Codes of OpenSSL for a certificate that is not trusted. */
const UNTRUSTED = /^(DEPTH_ZERO_|SELF_SIGNED|UNABLE_TO_|CERT_|ERR_TLS_CERT)/;

function unreachableAt(server: string, cause: Error & { readonly code?: string }): ReveilleError {
  if (!UNTRUSTED.test(cause.code ?? ''))
    return new ReveilleError('SERVER_UNREACHABLE', `no server answers at ${server}: ${cause.message || cause.code}`, {
      cause,
    });
  return new ReveilleError('CERTIFICATE_INVALID', `the certificate of ${server} is not trusted: ${cause.message}`, {
    hint: 'nothing was sent to it; --server-fingerprint sha256:… (printed by `reveille status` on the server) or --server-ca FILE says which one is right',
    cause,
  });
}
