import type { Place } from '../errors.ts';

/** Where a secret is kept: a file (absolute path), the server's environment, or what a shell line prints. */
export type SecretSource = (
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'command'; readonly line: string }
) & {
  /** Whether it is a text of several lines. */
  readonly multiline?: boolean;
  /** Where the site declares it. */
  readonly place?: Place;
};
