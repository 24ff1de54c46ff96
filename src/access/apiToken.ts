import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Role } from './role.ts';

/** A token of the operators' API as it is kept: the hash only, so that a copy of the state opens nothing. Times are ms since the epoch. */
export type ApiToken = {
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the token's text, in hex. */
  readonly hash: string;
  readonly createdAt: number;
  /** `null`: it does not expire. */
  readonly expiresAt: number | null;
};

/** Names of tokens. */
export const TOKEN_NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

const FORM = /^rvl_[0-9a-f]{64}$/;

/** A new token's text: 256 random bits, with a prefix by which scanners for secrets find it. */
export function newTokenText(): string {
  return `rvl_${randomBytes(32).toString('hex')}`;
}

/** Whether a text can be a token at all. */
export function isTokenText(text: string): boolean {
  return FORM.test(text);
}

export function hashOfToken(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The token of that text among these, if it has not expired. The time that it takes does not show how much of a hash is right. */
export function tokenOf(tokens: Iterable<ApiToken>, text: string, now: number): ApiToken | undefined {
  const presented = Buffer.from(hashOfToken(text));
  let found: ApiToken | undefined;
  for (const token of tokens) if (timingSafeEqual(Buffer.from(token.hash), presented)) found = token;
  return found !== undefined && isExpired(found, now) ? undefined : found;
}

export function isExpired({ expiresAt }: ApiToken, now: number): boolean {
  return expiresAt !== null && expiresAt <= now;
}
