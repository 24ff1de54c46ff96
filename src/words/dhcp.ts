import { formatIpv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { PoolVerdict } from '../model/pools.ts';
import type { LeaseEnd, Refusal } from '../model/refusal.ts';

/** A refusal in words, for people and for the message of a NAK. */
export function refusalWords(refusal: Refusal): string {
  switch (refusal.code) {
    case 'interface-unserved':
      return `no network of the site is reached through ${refusal.interface}`;
    case 'relay-unknown':
      return `the relay ${formatIpv4(refusal.relay)} belongs to no network of the site: its address lies in no subnet and under no \`relays\``;
    case 'leases-unknown':
      return 'the leases of the state are not known yet';
    case 'message-unanswered':
      return 'the message type is none that a server answers';
    case 'pools-closed':
      return `no pool here is open to ${clientWords(refusal.node)}`;
    case 'pools-used-up':
      return `every pool that is open to ${clientWords(refusal.node)} is used up`;
    case 'pools-kept-for-nodes':
      return 'what is left of the pools that are open to a stranger is kept for nodes';
    case 'pool-kept-for-nodes':
      return 'what is left of the pool is kept for nodes';
    case 'switch-port-full':
      return `its switch port has ${refusal.most} addresses of machines that the site does not list: dhcp.strangersPerPort`;
    case 'relay-full':
      return `its relay ${refusal.relay} has ${refusal.most} addresses of machines that the site does not list: dhcp.strangersPerRelay`;
    case 'strangers-limited':
      return `more than ${refusal.rate} new machines a second that the site does not list ask here: dhcp.strangersPerSecond`;
    case 'address-missing':
      return 'a REQUEST that names no address';
    case 'address-off-wire':
      return 'the address is of no network on this wire';
    case 'address-taken':
      return 'the address is taken';
    case 'address-pool-closed':
      return 'no pool with this address is open to it';
    case 'address-foreign':
      return 'the address is not ours to give: another server may have given it';
    case 'node-has-address':
      return `${refusal.node} has an address of its own`;
    case 'node-of-other-network':
      return `${refusal.node} belongs to network ${refusal.network}`;
    case 'lease-unrecorded':
      return 'no record of the lease that it asks for: another server may have given it';
    case 'routed-lease-unrecorded':
      return 'no record of the lease that it renews from behind a router';
    case 'renewal-source-differs':
      return 'a renewal that does not come from the address that it renews';
    case 'decline-not-ours':
      return 'a DECLINE of an address that is not ours';
    case 'decline-not-held':
      return 'a DECLINE of an address that it was not given';
    case 'decline-own-address':
      return `${refusal.node} declined its own address: another machine uses it`;
    case 'release-not-held':
      return 'a RELEASE of an address that it does not hold';
    case 'release-source-differs':
      return 'a RELEASE that does not come from the address that it gives back';
    case 'lease-on-other-wire':
      return 'a RELEASE or DECLINE that does not come from the wire of the lease';
    case 'inform-without-address':
      return 'an INFORM that has no address and comes from none';
    case 'inform-off-wire':
      return 'an INFORM from an address of no network on this wire';
    case 'bootp-without-own-address':
      return 'BOOTP is answered for nodes that have an address of their own';
    case 'probes-busy':
      return `${refusal.probes} addresses are being tried already`;
    case 'own-address-in-use':
      return `${formatIpv4(refusal.ip)} is kept for it, but still in use: it was given to ${refusal.holder}, and a machine answers for it`;
    case 'free-address-in-use':
      return `${formatIpv4(refusal.ip)} answers a probe though it is lent to no machine: it is set aside`;
    case 'lease-unsaved':
      return 'the lease could not be saved';
    case 'leases-waiting':
      return 'too many leases wait for the disk';
  }
}

function clientWords(node: string | undefined): string {
  return node === undefined ? 'a stranger' : `${node}, a known node,`;
}

/** The reason of a refused request, as its event shows it. */
export function refused(refusal: Refusal): { readonly code: Refusal['code']; readonly reason: string } {
  return { code: refusal.code, reason: refusalWords(refusal) };
}

/** Why a lease ended before its time, as its event shows it. */
export function leaseEnded(end: LeaseEnd): { readonly code: LeaseEnd; readonly reason: string } {
  return { code: end, reason: leaseEndWords(end) };
}

function leaseEndWords(end: LeaseEnd): string {
  switch (end) {
    case 'declined':
      return 'another machine uses the address: it is set aside';
    case 'released':
      return 'given back';
    case 'released-by-operator':
      return 'ended by an operator';
  }
}

/** Whether a pool is open to a client, and by which of its words, in words for people. */
export function poolWords(verdict: PoolVerdict): string {
  switch (verdict.code) {
    case 'denied':
      return `closed to ${memberWords(verdict.member)}`;
    case 'allowed':
      return `open to ${memberWords(verdict.member)}`;
    case 'not-allowed':
      return `open only to ${verdict.members.map(memberWords).join(', ') || 'no client'}`;
  }
}

function memberWords(member: string): string {
  if (member === 'any') return 'anybody';
  if (member === 'known') return 'nodes of this site';
  return member === 'unknown' ? 'strangers' : `class ${member}`;
}

/** Which leases have no place in the site, in one line. */
export function misplacedWords(nowhere: readonly Lease[], unlent: readonly Lease[]): string {
  const parts = [
    [nowhere, 'in no network of the site', 'they are kept, and count again with such a network'] as const,
    [unlent, 'that no pool lends any more', 'their machines are refused when they renew'] as const,
  ];
  return parts
    .flatMap(([leases, what, so]) => {
      const [first] = leases;
      if (!first) return [];
      const others = leases.length === 1 ? '' : ` and ${leases.length - 1} more`;
      const counted = leases.length === 1 ? 'a lease runs' : `${leases.length} leases run`;
      return [`${counted} for addresses ${what} (${formatIpv4(first.ip)} of ${first.mac}${others}): ${so}`];
    })
    .join('; ');
}

/** Why a reply was dropped, by the code of the system call. */
export function unsentWords(code: string): string {
  return UNSENT[code] ?? code;
}

const UNSENT: { readonly [code: string]: string } = {
  EAGAIN: 'the answer to ARP, or room on the wire, did not come in time',
  ENOBUFS: 'no room on the wire',
  EHOSTUNREACH: 'no route leads there through this interface',
  EMSGSIZE: 'larger than the interface takes',
  ENETDOWN: 'the interface is down',
  EPERM: 'a firewall on this machine forbids it',
  EINVAL: 'no address and port to send to',
};
