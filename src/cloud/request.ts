import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { ReveilleError } from '../errors.ts';

/** What a service answered. */
export type Answer = {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
};

/** As Node's TLS has it. */
export type Tls = { readonly rejectUnauthorized: boolean; readonly ca?: Buffer };

const ANSWER_MS = 30_000;
const LONGEST_ANSWER = 64 * 1024 * 1024;

/**
 * One request with a bounded answer and a bounded wait. `body` is sent as JSON, bytes as they are. Throws CLOUD_UNREACHABLE where
 * nobody answers.
 */
export async function ask(
  method: string,
  url: string,
  headers: Record<string, string>,
  body: unknown,
  tls: Tls,
): Promise<Answer> {
  const isBytes = body instanceof Uint8Array;
  const sending = isBytes ? body : body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const options = {
    method,
    signal: AbortSignal.timeout(ANSWER_MS),
    headers: {
      Accept: 'application/json',
      ...headers,
      ...(sending === undefined
        ? {}
        : {
            'Content-Type': isBytes ? 'application/octet-stream' : 'application/json',
            'Content-Length': sending.byteLength,
          }),
    },
  };
  const { protocol, origin } = addressOf(url);
  return new Promise((resolve, reject) => {
    const unreachable = (cause: Error) =>
      reject(new ReveilleError('CLOUD_UNREACHABLE', `${origin} does not answer: ${reason(cause)}`, { cause }));
    const sent = protocol === 'https:' ? httpsRequest(url, { ...options, ...tls }) : httpRequest(url, options);
    sent.on('error', unreachable);
    sent.on('response', (response) => {
      const pieces: Buffer[] = [];
      let length = 0;
      response.on('error', unreachable);
      response.on('data', (piece: Buffer) => {
        length += piece.length;
        if (length > LONGEST_ANSWER) response.destroy(new Error('its answer is too long'));
        else pieces.push(piece);
      });
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(pieces).toString(),
        }),
      );
    });
    sent.end(sending);
  });
}

/** The catalogue of a cloud, and endpoints written by hand, may hold anything. */
function addressOf(url: string): URL {
  const address = URL.parse(url);
  if (address && /^https?:$/.test(address.protocol)) return address;
  throw new ReveilleError('CLOUD_UNREACHABLE', `${JSON.stringify(url)} is not the address of a service`);
}

function reason(cause: Error): string {
  return cause.name === 'TimeoutError' || cause.name === 'AbortError'
    ? `no answer within ${ANSWER_MS / 1000} s`
    : cause.message;
}
