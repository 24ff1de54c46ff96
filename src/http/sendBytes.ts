import type { ServerResponse } from 'node:http';
import { type Body, piecesOf } from './fileBody.ts';
import type { Bytes } from './fileHead.ts';

/** How a transfer ended. `bytes` are those that the kernel took. */
export type Sent =
  | { readonly kind: 'sent'; readonly bytes: number; readonly ms: number }
  | { readonly kind: 'failed'; readonly bytes: number; readonly reason: string };

export type SendOptions = {
  /** A transfer that moves no byte for so long is given up. */
  readonly stallMs: number;
  /** Two pieces of so many bytes are held for a file on disk. */
  readonly pieceBytes: number;
  /** Bytes went out. */
  readonly sent: (bytes: number) => void;
};

/** Sends these bytes of a body, and ends the answer: it is complete, or its connection is closed. Never rejects. */
export async function sendBytes(
  response: ServerResponse,
  body: Body,
  { first, last, length }: Bytes,
  { stallMs, pieceBytes, sent }: SendOptions,
): Promise<Sent> {
  const began = performance.now();
  let bytes = 0;
  response.setTimeout(stallMs, () => {
    response.destroy(new Error(stalled(stallMs)));
  });
  try {
    if (length > 0) {
      for await (const piece of piecesOf(body, first, last, pieceBytes)) {
        await written(response, piece);
        bytes += piece.length;
        sent(piece.length);
      }
    }
    if (bytes < length) throw new Error(SHORTER);
    response.end();
    return { kind: 'sent', bytes, ms: Math.round(performance.now() - began) };
  } catch (error) {
    // A body that ended early must not look whole: only a closed connection says so.
    response.destroy();
    return { kind: 'failed', bytes, reason: reasonOf(error, response) };
  }
}

/** Resolves once the kernel has taken all of `piece`, whose memory may then be used again. */
function written(response: ServerResponse, piece: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = () => reject(new Error(CLIENT_LEFT));
    response.once('close', closed);
    response.write(piece, (error) => {
      response.off('close', closed);
      if (error) reject(error);
      else resolve();
    });
  });
}

export const CLIENT_LEFT = 'the client closed the connection';
export const SHORTER = 'the file became shorter while it was sent';
export const stalled = (stallMs: number) => `the transfer stalled: the client took nothing for ${stallMs / 1000} s`;

function reasonOf(error: unknown, response: ServerResponse): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (response.errored instanceof Error && response.errored !== error) return response.errored.message;
  if (code === 'ERR_STREAM_DESTROYED' || code === 'ECONNRESET' || code === 'EPIPE' || code === 'ECANCELED')
    return CLIENT_LEFT;
  return message;
}
