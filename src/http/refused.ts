import { type ErrorCode, ReveilleError } from '../errors.ts';

type More = {
  readonly hint?: string;
  readonly status?: number;
  readonly retryAfter?: number;
  readonly cause?: unknown;
};

/** A refusal with a status of its own, or with the whole seconds after which to ask again. */
export class Refused extends ReveilleError {
  readonly status: number | undefined;
  readonly retryAfter: number | undefined;

  constructor(code: ErrorCode, message: string, { status, retryAfter, ...more }: More) {
    super(code, message, more);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** Seconds after which a client asks again where nothing better is known. */
export const RETRY_SECONDS = 2;

/** The server does as much as it may. */
export function busy(message: string, retryAfter = RETRY_SECONDS): Refused {
  return new Refused('SERVER_BUSY', message, { retryAfter });
}

/** One node asks for more than it may. */
export function tooMany(message: string, retryAfter: number): Refused {
  return new Refused('TOO_MANY_REQUESTS', message, { retryAfter });
}

const SHORTAGES: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']);

/** A lack of descriptors or memory, which passes, as a refusal; `undefined` for any other error. */
export function shortage(error: unknown): Refused | undefined {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  if (!SHORTAGES.has(code)) return undefined;
  return new Refused('SERVER_BUSY', `the server is short of descriptors or memory (${code})`, {
    retryAfter: 5,
    cause: error,
  });
}
