/** The parts of a node's identity, by kind. */
export type IdentityParts = ReadonlyMap<string, string>;

/** Stores identities by the names of nodes. Calls reject with STATE_UNAVAILABLE. */
export type IdentityStore = {
  read(node: string): Promise<IdentityParts>;
  /** Stores those of `parts` that the node lacks and no other node has, all or none on disk; returns all that it has then. */
  keep(node: string, parts: IdentityParts): Promise<IdentityParts>;
};
