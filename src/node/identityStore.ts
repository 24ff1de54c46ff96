/** What was made once for a node, by its kind. */
export type IdentityParts = ReadonlyMap<string, string>;

/** Where identities last, by the names of nodes. Calls reject with STATE_UNAVAILABLE. */
export type IdentityStore = {
  read(node: string): Promise<IdentityParts>;
  /** Keeps those of `parts` that the node has not and no other node has, all or none on disk; gives all that it has then. */
  keep(node: string, parts: IdentityParts): Promise<IdentityParts>;
};
