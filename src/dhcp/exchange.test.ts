import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { textPattern } from '../model/bytePattern.ts';
import { UNSPECIFIED } from '../model/ipv4.ts';
import { OPTION } from '../model/options.ts';
import { ip, nodeOf } from '../site/testing/fixture.ts';
import { exchangeOf, readExchange } from './exchange.ts';
import { encodePacket } from './packet.ts';
import { machine, networkOf, requestOf, type Said, say, siteOf } from './testing/fixture.ts';

const NODE = machine(0x51);
const STRANGER = machine(0xa1);
const rack = networkOf('rack', '10.0.0.0/24', [['10.0.0.100-10.0.0.199', 'any']]);
const far = networkOf('far', '10.7.0.0/24', [], { interface: 'br7' });
const node = nodeOf('node01', [NODE], { ip: ip('10.0.0.51'), network: 'rack' });
const phones = {
  name: 'phones',
  conditions: { vendorClass: [textPattern('phone*') ?? assert.fail()] },
  options: new Map(),
};
const site = siteOf([rack, far], [node], [phones]);
const DIRECT = { ip: UNSPECIFIED, port: 68 };
const option82: Said = [82, Uint8Array.of(1, 2, 0x70, 0x31, 2, 2, 0x73, 0x37)];

describe('a request is read once', () => {
  test('with all that it and the site say of its client', () => {
    const said = [
      say(OPTION.vendorClass, 'phone 7'),
      say(OPTION.hostname, 'desk'),
      say(OPTION.requestedAddress, ip('10.0.0.150')),
      say(OPTION.serverId, ip('10.0.0.2')),
      option82,
    ];
    const bytes = encodePacket(requestOf('request', STRANGER, said, { giaddr: ip('10.0.0.9') }));
    const exchange = readExchange(bytes, { ip: ip('10.0.0.9'), port: 67 }, 'eth9', site);
    assert.ok(exchange.kind === 'exchange');
    const { client, wire, relay, request: _, site: of, ...others } = exchange;
    assert.equal(of, site);
    assert.deepEqual([client.mac, client.stage], [STRANGER, 'os']);
    assert.deepEqual([wire.reach, wire.networks.map(({ name }) => name)], ['relayed', ['rack']]);
    assert.deepEqual(relay, { link: ip('10.0.0.9'), ownPort: false });
    assert.deepEqual(others, {
      kind: 'exchange',
      interface: 'eth9',
      sender: { ip: ip('10.0.0.9'), port: 67 },
      type: 3,
      via: '10.0.0.9',
      node: undefined,
      isElsewhere: false,
      classes: [phones],
      switchPort: { kind: 'port', key: '7337 7031' },
      held: UNSPECIFIED,
      requested: ip('10.0.0.150'),
      chosen: ip('10.0.0.2'),
      hostname: 'desk',
    });
  });

  test('of a node: through which interface, whether that is where it belongs, and no switch port', () => {
    const through = (name: string) => exchangeOf(requestOf('discover', NODE, [option82]), DIRECT, name, site);
    assert.partialDeepStrictEqual(through('br0'), { node, via: 'br0', isElsewhere: false, switchPort: undefined });
    assert.partialDeepStrictEqual(through('br7'), { node, via: 'br7', isElsewhere: true });
  });

  test('through a relay that the site does not know, no further than that', () => {
    const bytes = encodePacket(requestOf('discover', NODE, [], { giaddr: ip('172.16.0.1') }));
    assert.deepEqual(readExchange(bytes, DIRECT, 'br0', site), {
      kind: 'unserved',
      mac: NODE,
      via: '172.16.0.1',
      refusal: { code: 'relay-unknown', relay: ip('172.16.0.1') },
    });
  });

  test('on an interface of no network it is read, so that its client is seen', () => {
    const exchange = readExchange(encodePacket(requestOf('discover', STRANGER)), DIRECT, 'eth9', site);
    assert.ok(exchange.kind === 'exchange');
    assert.deepEqual(exchange.wire.networks, []);
  });

  test('what is none is said to be none', () => {
    assert.deepEqual(readExchange(Buffer.alloc(3), DIRECT, 'br0', site), {
      kind: 'malformed',
      reason: '3 bytes are too few',
    });
    const reply = { ...requestOf('ack', STRANGER), op: 'reply' as const };
    assert.deepEqual(readExchange(encodePacket(reply), DIRECT, 'br0', site), { kind: 'reply' });
  });
});
