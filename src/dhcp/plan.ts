import type { BootAnswer } from '../boot/client.ts';
import type { Happening } from '../model/event.ts';
import type { ProbeQuestion } from '../net/probe.ts';
import type { Destination } from './destination.ts';
import type { Bounds, DhcpPacket } from './packet.ts';
import type { Decision } from './policy.ts';
import type { ServedNetwork } from './wire.ts';

/** A reply as it is composed. How many of its options are sent depends on the interface, which may take less than the client. */
export type Reply = {
  readonly packet: DhcpPacket;
  readonly to: Destination;
  readonly bounds: Bounds;
  readonly network: ServedNetwork;
};

type Decided<K extends Decision['kind']> = Extract<Decision, { readonly kind: K }>;

/** `event` says what was done, and is for when it is done. */
type Reported = { readonly event: Happening };
type Replying = Reported & { readonly reply: Reply };
type Booting = Replying & { readonly boot: BootAnswer };

/**
 * What one request brings about: the decision, with the reply composed, what is to be asked of the network first, and the event.
 * Nothing of it is done yet; `Executor` does it.
 */
export type Plan =
  /** `probe`: the address is offered where no other machine answers this. */
  | (Decided<'offer'> & Booting & { readonly probe?: ProbeQuestion })
  /** The reply is for when the lease is on disk, as far as `needsRecord` has it wait. */
  | (Decided<'ack'> & Booting)
  | (Decided<'bootp'> & Booting)
  | (Decided<'inform'> & Booting)
  | (Decided<'nak'> & Replying)
  | (Decided<'change'> & Reported)
  | (Decided<'other-server'> & Reported)
  | (Decided<'silence'> & Reported);

export type PlanOf<K extends Plan['kind']> = Extract<Plan, { readonly kind: K }>;
