import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Event } from '../model/event.ts';
import { type Ipv4, parseIpv4 } from '../model/ipv4.ts';
import { type Mac, parseMac } from '../model/mac.ts';
import { withNode } from './identify.ts';
import { isWorthKeeping } from './worthKeeping.ts';

const ip = (text: string): Ipv4 => parseIpv4(text) ?? assert.fail(text);
const mac = (text: string): Mac => parseMac(text) ?? assert.fail(text);

const NODE = mac('52:54:00:00:00:51');
const STRANGER = mac('52:54:00:00:00:99');
const SITE = {
  nodeByMac: new Map([[NODE, { name: 'node01' }]]),
  nodeByIp: new Map([[ip('10.0.0.51'), { name: 'node01' }]]),
};
const HOLDERS = new Map([
  [ip('10.0.0.200'), NODE],
  [ip('10.0.0.201'), STRANGER],
  [ip('10.0.0.51'), STRANGER],
]);

const rows: readonly (readonly [what: string, of: Partial<Event>, node?: string | undefined, mac?: Mac])[] = [
  ['a node by its MAC address', { mac: NODE }, 'node01', NODE],
  ['a node by the address that it holds', { ip: ip('10.0.0.200') }, 'node01'],
  ['a stranger by the address that it holds', { ip: ip('10.0.0.201') }, undefined, STRANGER],
  ['a stranger that holds the address of a node', { ip: ip('10.0.0.51') }, undefined, STRANGER],
  ['an address that is held by no machine', { ip: ip('10.0.0.222') }],
  ["a stranger whose address is a node's", { mac: STRANGER, ip: ip('10.0.0.51') }, undefined, STRANGER],
  ['what names its node', { node: 'node07', mac: STRANGER }, 'node07', STRANGER],
];
for (const [what, of, node, known] of rows) {
  it(`knows ${what}`, () => {
    const event: Event = { kind: 'image.changed', image: 'a', sha256: 'b', at: 1, ...of } as Event;
    const found = withNode(event, SITE, (one) => HOLDERS.get(one));
    assert.deepEqual([found.node, found.mac], [node, known]);
  });
}

it('keeps what nodes do, and of strangers what is no DHCP message', () => {
  const kept: readonly (readonly [Event['kind'], string | undefined, boolean])[] = [
    ['dhcp.discover', 'node01', true],
    ['dhcp.discover', undefined, false],
    ['dhcp.ack', undefined, false],
    ['dhcp.other-server', undefined, true],
    ['tftp.sent', undefined, true],
    ['site.rejected', undefined, true],
  ];
  for (const [kind, node, isKept] of kept)
    assert.equal(isWorthKeeping({ kind, ...(node === undefined ? {} : { node }) }), isKept, `${kind} ${node}`);
});
