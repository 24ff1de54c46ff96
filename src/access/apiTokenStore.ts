import type { ApiToken } from './apiToken.ts';

/** Stores the tokens of the operators' API, by name. Calls reject with STATE_UNAVAILABLE. */
export type ApiTokenStore = {
  read(): Promise<readonly ApiToken[]>;
  /** Keeps a token; `false` if there is one of its name already, which stays. */
  add(token: ApiToken): Promise<boolean>;
  /** Forgets the token of a name; `false` if there is none. */
  remove(name: string): Promise<boolean>;
};
