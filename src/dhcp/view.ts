import type { BootAnswer, BootClient } from '../boot/client.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { WireNode } from '../model/node.ts';
import type { AdmissionView } from './admission.ts';
import type { BookView } from './book.ts';
import type { ServedNetwork } from './wire.ts';

/** What a client boots: `decideBoot` with the server's address in the client's network. */
export type BootDecision = (client: BootClient, node: WireNode | undefined, network: ServedNetwork) => BootAnswer;

/** What an answer depends on beside the request and the site, as of `now`: milliseconds since the epoch. It changes none of it. */
export type View = {
  readonly book: BookView;
  readonly admission: AdmissionView;
  readonly boot: BootDecision;
  /** Whether the book has the leases of the state: until then no machine is given an address that another may have. */
  readonly hasRecords: boolean;
  /** An address that a machine other than the client has answered for, as this request was being answered. */
  readonly answered?: Ipv4;
  readonly now: number;
};
