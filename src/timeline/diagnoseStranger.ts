import { formatIpv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import { count, formatMs } from '../words/units.ts';
import { addressWords, type Diagnosis } from './diagnose.ts';
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

/** How it stands: it asked to boot, it has an address and did not ask to boot, or it asked and has none. */
export type StrangerState = 'asked-to-boot' | 'addressed' | 'without-address';

export function strangerState({ stranger, lease }: SeenStranger): StrangerState {
  if (stranger?.triedToBoot) return 'asked-to-boot';
  return lease ? 'addressed' : 'without-address';
}

/**
 * Says in words what a machine did that the site does not list, and how it becomes a node. `options` are added to the command (`--site x`);
 * `now` is milliseconds since the epoch. Pure.
 */
export function diagnoseStranger(seen: SeenStranger, options: string, now: number): Diagnosis {
  const { mac, stranger } = seen;
  const adopt = `reveille node adopt ${mac}${options}`;
  const add = `reveille node add NAME --mac ${mac} --ip next${options}`;
  return {
    summary: `${mac} is no node of the site: ${stateWords(seen)}.`,
    advice: [
      ...(stranger ? [askedWords(stranger, now), ...whoWords(seen, stranger)] : []),
      ...addressOf(seen, now),
      ...(stranger?.boot ? [`Its newest attempt to boot came as far as: ${lastStep(stranger.boot)}.`] : []),
      `To make it a node: \`${stranger ? adopt : add}\`.`,
    ],
  };
}

function stateWords(seen: SeenStranger): string {
  switch (strangerState(seen)) {
    case 'asked-to-boot':
      return 'it asked to boot';
    case 'addressed':
      return 'it has an address and has not asked to boot';
    case 'without-address':
      return 'it asked for an address and has none';
  }
}

function askedWords({ network, via, firstSeen, lastSeen, count: asked, messages }: Stranger, now: number): string {
  const where = [via === undefined ? '' : ` through ${via}`, network === undefined ? '' : ` on network ${network}`];
  const kinds = Object.entries(messages ?? {}).map(([kind, times]) =>
    kind === 'refused' ? `${times} without an answer` : `${kind.toUpperCase()} ${times}`,
  );
  const all = kinds.length === 0 ? count(asked, 'request') : kinds.join(', ');
  return `DHCP${where.join('')}: ${all}; first ${formatMs(now - firstSeen)} ago, last ${formatMs(now - lastSeen)} ago.`;
}

function whoWords({ vendor }: SeenStranger, { machine, classes }: Stranger): readonly string[] {
  const { hostname, firmware, vendorClass, circuitId, remoteId } = machine;
  const parts = [
    hostname === undefined ? '' : `calls itself ${hostname}`,
    vendor === undefined ? '' : `card by ${vendor}`,
    firmware === undefined ? '' : `firmware ${firmware}`,
    vendorClass === undefined ? '' : `vendor class ${vendorClass}`,
    circuitId === undefined ? '' : `port ${circuitId}`,
    remoteId === undefined ? '' : `of ${remoteId}`,
    classes === undefined || classes.length === 0 ? 'in no class' : `in class ${classes.join(', ')}`,
  ];
  return [`The machine: ${parts.filter((part) => part !== '').join(', ')}.`];
}

function addressOf({ stranger, lease }: SeenStranger, now: number): readonly string[] {
  const refusal = stranger?.refusal === undefined ? [] : [`Why it was last given none: ${stranger.refusal}.`];
  if (lease) return [`Its address: ${addressWords(lease, now)}.`, ...refusal];
  const before = stranger?.ip === undefined ? '' : ` now; its last was ${formatIpv4(stranger.ip)}`;
  return [`Its address: none${before}.`, ...refusal];
}

function lastStep({ steps }: NonNullable<Stranger['boot']>): string {
  const last = steps.at(-1);
  return last ? `${last.name}${last.detail === undefined ? '' : ` (${last.detail})`}` : 'nothing';
}
