import { ReveilleError } from '../errors.ts';
import { recall } from '../recall.ts';
import { type ApiToken, hashOfToken, isExpired, isTokenText, newTokenText, TOKEN_NAME, tokenOf } from './apiToken.ts';
import type { ApiTokenStore } from './apiTokenStore.ts';
import type { Role } from './role.ts';

/** A token as others may see it. */
export type TokenShown = Omit<ApiToken, 'hash'> & { readonly expired: boolean };

export type ApiTokensFrom = {
  readonly store: ApiTokenStore;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

/** Each request is compared with all of them. */
const MOST_TOKENS = 1000;

/** The tokens of the operators' API: made, listed, revoked, and looked up for each request. Those in memory are what the store holds. */
export class ApiTokens implements Disposable {
  readonly #from: ApiTokensFrom;
  readonly #tokens = new Map<string, ApiToken>();
  /** Why the store could not be read yet. */
  #unknown: unknown;
  #stop = (): void => {};

  private constructor(from: ApiTokensFrom) {
    this.#from = from;
  }

  /** Opens them with what the store keeps; where that cannot be read yet, calls throw why until it can. */
  static async open(from: ApiTokensFrom): Promise<ApiTokens> {
    const tokens = new ApiTokens(from);
    tokens.#stop = await recall(
      async () => {
        for (const token of await from.store.read()) tokens.#tokens.set(token.name, token);
        tokens.#unknown = undefined;
      },
      (error) => {
        tokens.#unknown = error;
      },
    );
    return tokens;
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  /** The token of a text that a caller presents; `undefined` for one that is unknown or has expired. Throws STATE_UNAVAILABLE. */
  find(text: string): TokenShown | undefined {
    if (!isTokenText(text)) return undefined;
    const token = tokenOf(this.#known().values(), text, this.#from.now());
    return token && this.#shown(token);
  }

  /** Whether a token that was found is still that of its name, and has not expired. */
  isInForce({ name, createdAt }: TokenShown): boolean {
    const token = this.#tokens.get(name);
    return token !== undefined && token.createdAt === createdAt && !isExpired(token, this.#from.now());
  }

  /** By name. Throws STATE_UNAVAILABLE. */
  list(): readonly TokenShown[] {
    return [...this.#known().values()].map((token) => this.#shown(token)).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Makes a token, and gives its text, which is kept nowhere. Rejects with REQUEST_INVALID, TOKEN_EXISTS, STATE_UNAVAILABLE. */
  async create(name: string, role: Role, expiresAt: number | null): Promise<string> {
    if (!TOKEN_NAME.test(name))
      throw new ReveilleError('REQUEST_INVALID', `${JSON.stringify(name)} is no name for a token`, {
        hint: 'letters, digits and . _ @ -, 64 at most',
      });
    const createdAt = this.#from.now();
    if (expiresAt !== null && expiresAt <= createdAt)
      throw new ReveilleError('REQUEST_INVALID', 'the token would have expired already');
    if (this.#known().size >= MOST_TOKENS)
      throw new ReveilleError('REQUEST_INVALID', `there are ${MOST_TOKENS} tokens already`, {
        hint: 'revoke those that are not used: reveille token list',
      });
    const text = newTokenText();
    const token: ApiToken = { name, role, hash: hashOfToken(text), createdAt, expiresAt };
    if (!(await this.#from.store.add(token)))
      throw new ReveilleError('TOKEN_EXISTS', `there is a token ${name} already`, {
        hint: `revoke it first: reveille token revoke ${name}`,
      });
    this.#tokens.set(name, token);
    return text;
  }

  /** Rejects with TOKEN_UNKNOWN, STATE_UNAVAILABLE. */
  async revoke(name: string): Promise<TokenShown> {
    const token = this.#known().get(name);
    const removed = await this.#from.store.remove(name);
    if (token === undefined || !removed)
      throw new ReveilleError('TOKEN_UNKNOWN', `there is no token ${name}`, { hint: 'reveille token list names all' });
    this.#tokens.delete(name);
    return this.#shown(token);
  }

  #known(): ReadonlyMap<string, ApiToken> {
    if (this.#unknown !== undefined) throw this.#unknown;
    return this.#tokens;
  }

  #shown({ hash: _, ...token }: ApiToken): TokenShown {
    return { ...token, expired: isExpired({ hash: '', ...token }, this.#from.now()) };
  }
}
