/** A pattern of a class: text with `*` and `?`, or bytes in hex with them. */
export type Pattern = string | { readonly hex: string };

/** The conditions of a class, each with the values of which any may hold. */
export type Conditions = {
  readonly macs?: readonly string[];
  readonly vendorClass?: readonly Pattern[];
  readonly userClass?: readonly Pattern[];
  readonly circuitId?: readonly Pattern[];
  readonly remoteId?: readonly Pattern[];
  readonly arch?: readonly (string | number)[];
};
