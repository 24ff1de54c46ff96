import type { BootStep } from '../model/bootStep.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import type { Holding } from './diagnose.ts';
import type { HeldLease } from './heldLease.ts';
import type { Stranger } from './strangers.ts';

/** What is known of a machine that the site does not list. */
export type SeenStranger = {
  readonly mac: Mac;
  readonly vendor: string | undefined;
  /** What it asked; absent where it is forgotten, or asked only while it was a node. */
  readonly stranger: Stranger | undefined;
  readonly lease: HeldLease | undefined;
};

/** Its state: it asked to boot, it has an address and did not ask to boot, or it asked and has none. */
export type StrangerState = 'asked-to-boot' | 'addressed' | 'without-address';

export function strangerState({ stranger, lease }: SeenStranger): StrangerState {
  if (stranger?.triedToBoot) return 'asked-to-boot';
  return lease ? 'addressed' : 'without-address';
}

/** A finding about a machine that the site does not list. */
export type StrangerFact =
  /** Its requests; times are milliseconds ago. */
  | {
      readonly code: 'asked';
      readonly requests: number;
      readonly messages: Readonly<Record<string, number>>;
      readonly firstMs: number;
      readonly lastMs: number;
      readonly network?: string;
      readonly via?: string;
    }
  | {
      readonly code: 'machine';
      readonly machine: Stranger['machine'];
      readonly classes: readonly string[];
      readonly vendor?: string;
    }
  | ({ readonly code: 'address' } & Holding)
  | { readonly code: 'no-address'; readonly before?: Ipv4 }
  | { readonly code: 'refused'; readonly reason: string }
  /** How far its newest attempt to boot came; without a step: nowhere. */
  | { readonly code: 'boot'; readonly last?: BootStep }
  /** How it becomes a node: `adopt` works for a stranger that was seen. */
  | { readonly code: 'make-node'; readonly way: 'adopt' | 'add' };

export type StrangerDiagnosis = {
  readonly mac: Mac;
  readonly code: StrangerState;
  readonly facts: readonly StrangerFact[];
};

/** What a machine did that the site does not list, and how it becomes a node. `now` is milliseconds since the epoch. Pure. */
export function diagnoseStranger(seen: SeenStranger, now: number): StrangerDiagnosis {
  const { mac, stranger } = seen;
  return {
    mac,
    code: strangerState(seen),
    facts: [
      ...(stranger ? [asked(stranger, now), machine(seen, stranger)] : []),
      ...address(seen, now),
      ...(stranger?.boot ? [lastStep(stranger.boot)] : []),
      { code: 'make-node', way: stranger ? 'adopt' : 'add' },
    ],
  };
}

function asked({ network, via, firstSeen, lastSeen, count, messages = {} }: Stranger, now: number): StrangerFact {
  return {
    code: 'asked',
    requests: count,
    messages,
    firstMs: now - firstSeen,
    lastMs: now - lastSeen,
    ...(network === undefined ? {} : { network }),
    ...(via === undefined ? {} : { via }),
  };
}

function machine({ vendor }: SeenStranger, { machine, classes = [] }: Stranger): StrangerFact {
  return { code: 'machine', machine, classes, ...(vendor === undefined ? {} : { vendor }) };
}

function address({ stranger, lease }: SeenStranger, now: number): readonly StrangerFact[] {
  const refused: readonly StrangerFact[] =
    stranger?.refusal === undefined ? [] : [{ code: 'refused', reason: stranger.refusal }];
  if (lease) return [{ code: 'address', lease, leftMs: lease.expires - now }, ...refused];
  return [{ code: 'no-address', ...(stranger?.ip === undefined ? {} : { before: stranger.ip }) }, ...refused];
}

function lastStep({ steps }: NonNullable<Stranger['boot']>): StrangerFact {
  const last = steps.at(-1);
  return { code: 'boot', ...(last && { last }) };
}
