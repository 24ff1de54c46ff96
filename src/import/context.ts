import type { Ipv4 } from '../model/ipv4.ts';

/** What an import knows besides the configuration that it reads. */
export type ImportContext = {
  /** The interface on which requests arrive, if the operator names it. */
  readonly interface?: string;
  /** The addresses of this machine's interfaces. */
  readonly addresses: ReadonlyMap<string, readonly { readonly ip: Ipv4; readonly prefix: number }[]>;
  /** Whether the boot server's files move here too: then nodes boot by loader and entry, not by a file's name. */
  readonly tree: boolean;
};
