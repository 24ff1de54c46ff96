/** Stores the state of the nodes' tokens, by node, as text of `tokenState`. Calls reject with STATE_UNAVAILABLE. */
export type TokenStore = {
  read(): Promise<ReadonlyMap<string, string>>;
  /** Keeps what changed in place of what was kept; `null` forgets. All or none. */
  save(changed: ReadonlyMap<string, string | null>): Promise<void>;
};
