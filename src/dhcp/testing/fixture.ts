import assert from 'node:assert/strict';
import { broadcastOf, formatIpv4, type Ipv4, parseRange, parseSubnet } from '../../model/ipv4.ts';
import type { Mac } from '../../model/mac.ts';
import type { Pool, SiteClass } from '../../model/network.ts';
import type { SiteNode } from '../../model/node.ts';
import { OPTION, type Option } from '../../model/options.ts';
import type { Refusal } from '../../model/refusal.ts';
import { mac } from '../../site/testing/fixture.ts';
import { exchangeOf } from '../exchange.ts';
import { write } from '../optionSet.ts';
import { type DhcpPacket, MESSAGE, requestFrom } from '../packet.ts';
import { type Decision, decide } from '../policy.ts';
import type { DhcpSite } from '../site.ts';
import type { View } from '../view.ts';
import type { ServedNetwork } from '../wire.ts';

/** Values that this room's tests are made of. */

/** The n-th of many machines. */
export const machine = (n: number): Mac =>
  mac(
    `02:00:00:${(n >> 16).toString(16).padStart(2, '0')}:${((n >> 8) & 255).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`,
  );

/** One option and its value, for `requestOf`. */
export type Said = readonly [code: number, bytes: Uint8Array];

export function say<T>(option: Option<T>, value: T): Said {
  const options = new Map<number, Uint8Array>();
  write(options, option, value);
  return [option.code, options.get(option.code) ?? new Uint8Array()];
}

/** A client's message. */
export function requestOf(
  type: keyof typeof MESSAGE,
  from: Mac,
  said: readonly Said[] = [],
  fields: Partial<DhcpPacket> = {},
): DhcpPacket {
  const options = new Map([say(OPTION.messageType, MESSAGE[type]), ...said]);
  return { ...requestFrom(from, options), xid: 0x1234abcd, ...fields };
}

/** A network with its server's address; each pool is a range and who may draw from it: `known`, or `rack !phones`. */
export function networkOf(
  name: string,
  subnetText: string,
  pools: readonly (readonly [range: string, members: string])[],
  more: Partial<ServedNetwork> = {},
): ServedNetwork {
  const subnet = parseSubnet(subnetText) ?? assert.fail(`not a subnet: ${subnetText}`);
  return {
    name,
    interface: 'br0',
    subnet,
    server: (subnet.base + 2) as Ipv4,
    gateway: (subnet.base + 1) as Ipv4,
    broadcast: broadcastOf(subnet),
    dns: [],
    ntp: [],
    search: [],
    routes: [],
    relays: [],
    leaseSeconds: 7200,
    pools: pools.map(([range, members]) => poolOf(range, members)),
    options: new Map(),
    ...more,
  };
}

/** A pool; `members` are words of `allow`, and with a `!` before them of `deny`. */
export function poolOf(range: string, members: string, more: Partial<Pool> = {}): Pool {
  const words = members.split(' ');
  return {
    range: parseRange(range) ?? assert.fail(range),
    allow: words.filter((word) => !word.startsWith('!')),
    deny: words.filter((word) => word.startsWith('!')).map((word) => word.slice(1)),
    options: new Map(),
    ...more,
  };
}

export function siteOf(
  networks: readonly ServedNetwork[],
  nodes: readonly SiteNode[] = [],
  classes: readonly SiteClass[] = [],
): DhcpSite {
  return {
    networks: new Map(networks.map((network) => [network.name, network])),
    classes: new Map(classes.map((each) => [each.name, each])),
    nodes: new Map(nodes.map((node) => [node.name, node])),
    nodeByMac: new Map(nodes.flatMap((node) => node.macs.map((each) => [each, node] as const))),
    nodeByIp: new Map(nodes.flatMap((node) => (node.ip === undefined ? [] : [[node.ip, node] as const]))),
    awaited: new Map(),
    dhcp: { probe: 'off', probeMs: 100, strangersPerPort: 64 },
  };
}

/** What decides about a request beside itself. */
type Asked = Omit<View, 'boot'> & { readonly site: DhcpSite; readonly interface: string; readonly from: Ipv4 };

/** What is decided about a request that came on an interface, from port 68 of an address. */
export function decided(request: DhcpPacket, { site, interface: name, from, ...view }: Asked): Decision {
  const exchange = exchangeOf(request, { ip: from, port: 68 }, name, site);
  return decide(exchange, { ...view, boot: () => ({ kind: 'none', reason: { code: 'not-listed' } }) });
}

/** A refusal's code and the values that belong to it: `node-of-other-network node03 lan`. */
export function codeOf({ code, ...values }: Refusal): string {
  const shown = Object.entries(values).map(([key, value]) =>
    key === 'ip' || (code === 'relay-unknown' && key === 'relay') ? formatIpv4(value as Ipv4) : String(value),
  );
  return [code, ...shown].join(' ');
}
