import type { BytePattern } from './bytePattern.ts';
import type { Firmware } from './firmware.ts';
import type { Ipv4, Ipv4Range, Subnet } from './ipv4.ts';
import type { MacPrefix } from './macPrefix.ts';

/**
 * For how long addresses are lent, in seconds: to a client that has no wish, and between what bounds a wish is granted. A layer
 * that says a lease time does away with the bounds of the layers before it; without one, the longest is what a client
 * without a wish gets.
 */
export type Lending = {
  readonly leaseSeconds?: number;
  readonly minLeaseSeconds?: number;
  readonly maxLeaseSeconds?: number;
};

/** A boot server and a boot file that the operator names. */
export type BootFrom = { readonly nextServer?: Ipv4; readonly bootFile?: string };

/** A range of addresses that are lent. */
export type Pool = BootFrom &
  Lending & {
    readonly range: Ipv4Range;
    /** `known` (nodes of the site), `unknown` (strangers), `any`, or names of classes; any of them suffices. */
    readonly allow: readonly string[];
    /** The same words; none of these may draw from it, whatever `allow` says. */
    readonly deny: readonly string[];
    readonly options: RawOptions;
  };

/** Who belongs to a class: each condition that is there has to hold, by any of its values. */
export type Conditions = {
  readonly macs?: readonly MacPrefix[];
  /** Options 60 and 77, and sub-options 1 and 2 of option 82. */
  readonly vendorClass?: readonly BytePattern[];
  readonly userClass?: readonly BytePattern[];
  readonly circuitId?: readonly BytePattern[];
  readonly remoteId?: readonly BytePattern[];
  /** Kinds of firmware, or numbers of option 93. */
  readonly arch?: readonly (Firmware | number)[];
};

/** A group of machines by what they say of themselves, and what its members get. */
export type SiteClass = BootFrom &
  Lending & {
    readonly name: string;
    readonly conditions: Conditions;
    readonly options: RawOptions;
  };

/** One classless static route (option 121): a destination and the router to it. */
export type Route = { readonly to: Subnet; readonly via: Ipv4 };

/** DHCP options by number, each already in wire form, as a network, profile or node declares them. */
export type RawOptions = ReadonlyMap<number, Uint8Array>;

/** One subnet, everything declared or defaulted. Times are in seconds. */
export type Network = BootFrom &
  Lending & {
    readonly name: string;
    /** Where requests arrive directly. Absent for a network that only relays reach. */
    readonly interface?: string;
    readonly subnet: Subnet;
    /** The server's own address for this network; absent until an interface's address fills it in (see `withServers`). */
    readonly server?: Ipv4;
    readonly gateway?: Ipv4;
    readonly broadcast: Ipv4;
    readonly dns: readonly Ipv4[];
    readonly ntp: readonly Ipv4[];
    readonly domain?: string;
    readonly search: readonly string[];
    readonly mtu?: number;
    readonly routes: readonly Route[];
    /** Addresses of relays of this network, besides those in subnets of the site. */
    readonly relays: readonly Ipv4Range[];
    readonly leaseSeconds: number;
    readonly pools: readonly Pool[];
    readonly options: RawOptions;
  };

export type Probe = 'arp' | 'icmp' | 'off';

export type DhcpSettings = {
  readonly probe: Probe;
  readonly probeMs: number;
  /** How many addresses machines that the site does not list may have at one switch port, and through one relay that names none. */
  readonly strangersPerPort: number;
  readonly strangersPerRelay?: number;
  /** How many of them may be new in one second on one wire; absent: 200, or an eighth of the addresses of the wire's pools. */
  readonly strangersPerSecond?: number;
};
