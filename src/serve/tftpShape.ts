import type { Ipv4 } from '../model/ipv4.ts';
import type { WireChange } from '../site/wireSite.ts';
import type { Endpoints } from './endpoints.ts';

/** What the thread of TFTP is sent. It sends nothing but events, and asks nothing to answer a request. */
export type TftpShape = {
  readonly start: Endpoints & {
    readonly stateFolder: string;
    readonly site: readonly WireChange[];
    /** How many descriptors its transfers may hold. */
    readonly descriptors: number;
    readonly pins: ReadonlyMap<string, string>;
    readonly holders: readonly Holder[];
  };
  readonly toThread:
    | { readonly kind: 'site'; readonly change: WireChange }
    | { readonly kind: 'pins'; readonly pins: ReadonlyMap<string, string> }
    | { readonly kind: 'machine-ids'; readonly ids: readonly (readonly [node: string, id: string])[] }
    | { readonly kind: 'holders'; readonly holders: readonly Holder[] };
  readonly fromThread: never;
  readonly asks: {
    /** The site that came is in force, with these endpoints. */
    readonly reload: { readonly question: Endpoints; readonly answer: undefined };
  };
};

/** An address that a machine holds until then, in milliseconds since the epoch; 0: no longer. */
export type Holder = readonly [ip: Ipv4, until: number];
