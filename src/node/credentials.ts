/** What a node proves by TLS that it is the node, and holds others against; each PEM. */
export type Credentials = {
  /** The certificate of the site's authority. */
  readonly ca: string;
  readonly certificate: string;
  /** The private key of that certificate. */
  readonly key: string;
};
