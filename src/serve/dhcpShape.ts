import type { MessagePort } from 'node:worker_threads';
import type { LeaseChange } from '../dhcp/holders.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { DamagedRows } from '../model/trouble.ts';
import type { WireChange } from '../site/wireSite.ts';
import type { Endpoints } from './endpoints.ts';

/** What the thread of DHCP and the main thread send each other. */
export type DhcpShape = {
  readonly start: Endpoints & {
    readonly stateFolder: string;
    readonly site: readonly WireChange[];
    /** To the thread of the state's database, where that runs. */
    readonly database?: MessagePort;
  };
  readonly toThread:
    | { readonly kind: 'site'; readonly change: WireChange }
    | { readonly kind: 'database'; readonly port: MessagePort };
  readonly fromThread:
    | { readonly kind: 'leases'; readonly changes: readonly LeaseChange[] }
    | { readonly kind: 'database missing' }
    | { readonly kind: 'damaged'; readonly damage: DamagedRows };
  readonly asks: {
    /** The site that came is in force, with these endpoints. */
    readonly reload: { readonly question: Endpoints; readonly answer: undefined };
    readonly release: { readonly question: Ipv4; readonly answer: Lease };
  };
};
