import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';

/** As Node's TLS names it. */
export type Tls = { readonly rejectUnauthorized: boolean; readonly ca?: Buffer };

export type HttpQuestion = {
  readonly method: string;
  /** `http:` or `https:`. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes are sent as they are, anything else as JSON. */
  readonly body?: unknown;
  readonly tls: Tls;
  /** How long the whole request may take, in milliseconds, and how many bytes its answer may have. */
  readonly waitMs: number;
  readonly longest: number;
};
export type HttpAnswer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string };

/**
 * One request to a service that answers in JSON; redirections are not followed. Rejects if no answer comes in time or the answer
 * is too long, with an error whose message states the reason.
 */
export function httpAsk({ method, url, headers, body, tls, waitMs, longest }: HttpQuestion): Promise<HttpAnswer> {
  const isBytes = body instanceof Uint8Array;
  const sending = isBytes ? body : body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const options = {
    method,
    signal: AbortSignal.timeout(waitMs),
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
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => {
      const isLate = cause.name === 'TimeoutError' || cause.name === 'AbortError';
      reject(isLate ? new Error(`no answer within ${waitMs / 1000} s`, { cause }) : cause);
    };
    const sent = url.startsWith('https:') ? httpsRequest(url, { ...options, ...tls }) : httpRequest(url, options);
    sent.on('error', fail);
    sent.on('response', (response) => {
      const pieces: Buffer[] = [];
      let length = 0;
      response.on('error', fail);
      response.on('data', (piece: Buffer) => {
        length += piece.length;
        if (length > longest) response.destroy(new Error('its answer is too long'));
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
