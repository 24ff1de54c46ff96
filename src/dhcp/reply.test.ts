import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BootAnswer } from '../boot/client.ts';
import { UNSPECIFIED } from '../model/ipv4.ts';
import type { SiteNode } from '../model/node.ts';
import { OPTION } from '../model/options.ts';
import { ip, nodeOf } from '../site/testing/fixture.ts';
import { clientOf } from './client.ts';
import { read } from './optionSet.ts';
import { BROADCAST_FLAG, type DhcpPacket, decodePacket, encodePacket } from './packet.ts';
import { relayOf } from './relay.ts';
import { type Answerable, composeNak, composeReply, sizeLimit } from './reply.ts';
import { machine, networkOf, requestOf, type Said, say } from './testing/fixture.ts';

const network = networkOf('rack', '10.0.0.0/24', [], {
  dns: [ip('10.0.0.3')],
  ntp: [ip('10.0.0.4')],
  domain: 'rack.example',
  search: ['rack.example'],
  mtu: 9000,
  routes: [{ to: { base: ip('10.1.0.0'), prefix: 16 }, via: ip('10.0.0.1') }],
  options: new Map([
    [OPTION.ntp.code, Uint8Array.of(9, 9, 9, 9)],
    [17, Buffer.from('/from/network')],
    [224, Buffer.from('site')],
  ]),
});
const node = nodeOf('node01', [machine(1)], { options: new Map([[17, Buffer.from('/from/node')]]) });
const pxelinux = {
  kind: 'boot',
  bootFile: 'pxelinux.0',
  pathPrefix: 'tftp://10.0.0.2/',
  method: 'bios-pxelinux',
  reason: { code: 'loader', firmware: 'bios', choice: 'pxelinux' },
} as const satisfies BootAnswer;
const byOperator: BootAnswer = {
  kind: 'boot',
  bootFile: 'pxelinux.0',
  reason: { code: 'operator', bootFile: { of: 'network', name: 'rack' } },
};
const none: BootAnswer = { kind: 'none', reason: { code: 'not-listed' } };
const asksFor = (...codes: number[]) => say(OPTION.parameterList, Uint8Array.from(codes));
const pxe = say(OPTION.vendorClass, 'PXEClient:Arch:00000:UNDI:002001');
const uuid: Said = [97, Uint8Array.of(0, ...Array.from({ length: 16 }, (_, n) => n))];

const asked = (request: DhcpPacket): Answerable => ({ request, client: clientOf(request), relay: relayOf(request) });

function reply(
  said: Said[],
  {
    boot = none,
    fields = {},
    whom = node,
    type = 'ack',
    seconds = 7200,
  }: {
    boot?: BootAnswer;
    fields?: Partial<DhcpPacket>;
    whom?: SiteNode | null;
    type?: 'offer' | 'ack' | 'bootp';
    seconds?: number | null;
  } = {},
): DhcpPacket {
  const message = requestOf('request', machine(1), said, fields);
  const request = type === 'bootp' ? { ...message, options: new Map(said) } : message;
  const composed = composeReply(type, {
    exchange: asked(request),
    network,
    classes: [],
    node: whom ?? undefined,
    ip: ip('10.0.0.51'),
    boot,
    ...(seconds === null ? {} : { seconds }),
  });
  const decoded = decodePacket(encodePacket(composed));
  return decoded.ok ? decoded.packet : assert.fail(decoded.reason);
}
const codes = (packet: DhcpPacket) => [...packet.options.keys()].sort((a, b) => a - b);

describe('a reply', () => {
  test('to one that asks for nothing in particular says all that the network has', () => {
    const { options, yiaddr, siaddr, file } = reply([]);
    assert.deepEqual(codes({ ...reply([]) }), [1, 3, 6, 12, 15, 17, 26, 28, 42, 51, 53, 54, 58, 59, 119, 121, 224]);
    assert.equal(yiaddr, ip('10.0.0.51'));
    assert.deepEqual([siaddr, file], [UNSPECIFIED, '']);
    assert.equal(read(options, OPTION.leaseTime), 7200);
    assert.equal(read(options, OPTION.renewalTime), 3600);
    assert.equal(read(options, OPTION.rebindingTime), 6300);
    assert.equal(read(options, OPTION.subnetMask), ip('255.255.255.0'));
    assert.equal(read(options, OPTION.hostname), 'node01');
    assert.deepEqual(read(options, OPTION.routes), network.routes);
  });

  test('the operator’s options come over the network’s own, the node’s over both', () => {
    const { options } = reply([]);
    assert.deepEqual(read(options, OPTION.ntp), [ip('9.9.9.9')]);
    assert.equal(Buffer.from(options.get(17) ?? []).toString(), '/from/node');
  });

  test('to one that asks says what it asks for, and what it must know', () => {
    assert.deepEqual(codes(reply([asksFor(3, 77, 200)])), [1, 3, 51, 53, 54, 58, 59, 224]);
  });

  test('to a client of BOOTP gives the address and no lease, in 300 bytes, what it cannot do without first', () => {
    const packet = reply([], { type: 'bootp', seconds: null, boot: byOperator });
    assert.deepEqual([packet.yiaddr, packet.file, packet.siaddr], [ip('10.0.0.51'), 'pxelinux.0', network.server]);
    for (const code of [51, 53, 54, 58, 59]) assert.equal(packet.options.has(code), false, `option ${code}`);
    assert.equal(read(packet.options, OPTION.subnetMask), ip('255.255.255.0'));
    const request = { ...requestOf('discover', machine(1)), options: new Map() };
    const bytes = encodePacket(
      { ...packet, options: new Map([...packet.options, [200, new Uint8Array(90)]]) },
      sizeLimit(request),
    );
    assert.equal(bytes.length, 300);
  });

  test('a stranger is told no name', () => {
    assert.equal(read(reply([], { whom: null }).options, OPTION.hostname), undefined);
  });

  test('echoes the client’s identifiers and the relay’s option, the latter last', () => {
    const { options } = reply([[61, Uint8Array.of(1, 2)], uuid, [82, Uint8Array.of(1, 1, 7)]], {
      fields: { giaddr: ip('10.0.0.9') },
    });
    assert.deepEqual([...(options.get(61) ?? [])], [1, 2]);
    assert.equal(options.get(97)?.length, 17);
    assert.equal([...options.keys()].at(-1), 82);
  });

  test('a machine identifier that is none is not echoed', () => {
    assert.equal(reply([[97, Uint8Array.of(1, 2)]]).options.has(97), false);
  });

  test('an overridden server identifier is said as the relay wants it', () => {
    const { options } = reply([[82, Uint8Array.of(11, 4, 10, 0, 0, 9)]], { fields: { giaddr: ip('10.0.0.9') } });
    assert.equal(read(options, OPTION.serverId), ip('10.0.0.9'));
  });

  test('tells a firmware to boot in every place where one may look', () => {
    const { options, siaddr, sname, file } = reply([pxe, asksFor(1, 3, 150)], { boot: pxelinux });
    assert.deepEqual([siaddr, sname, file], [ip('10.0.0.2'), '10.0.0.2', 'pxelinux.0']);
    assert.equal(read(options, OPTION.bootFile), 'pxelinux.0');
    assert.equal(read(options, OPTION.tftpServer), '10.0.0.2');
    assert.deepEqual(read(options, OPTION.tftpServers), [ip('10.0.0.2')]);
    assert.equal(read(options, OPTION.pathPrefix), 'tftp://10.0.0.2/');
    assert.equal(read(options, OPTION.vendorClass), 'PXEClient');
    assert.deepEqual([...(options.get(43) ?? [])], [6, 1, 8, 255]);
  });

  test('does not say PXEClient to a firmware that is not to boot', () => {
    const { options } = reply([pxe]);
    for (const code of [43, 60, 66, 67]) assert.equal(options.has(code), false, `option ${code}`);
  });

  test('tells an HTTP firmware so', () => {
    const { options } = reply([say(OPTION.vendorClass, 'HTTPClient:Arch:00016:UNDI:003001')], { boot: pxelinux });
    assert.equal(read(options, OPTION.vendorClass), 'HTTPClient');
    assert.equal(options.has(43), false);
  });

  test('lets iPXE not wait for a proxy', () => {
    const { options } = reply([[77, Buffer.from('iPXE')]], { boot: { ...pxelinux, bootFile: 'http://10.0.0.2/x' } });
    assert.deepEqual([...(options.get(175) ?? [])], [176, 1, 1]);
  });

  test('to an INFORM gives no address and no time', () => {
    const { options, yiaddr, ciaddr } = reply([], { seconds: null, fields: { ciaddr: ip('10.0.0.9') } });
    assert.deepEqual([yiaddr, ciaddr], [UNSPECIFIED, ip('10.0.0.9')]);
    for (const code of [51, 58, 59]) assert.equal(options.has(code), false, `option ${code}`);
  });

  test('an OFFER leaves ciaddr empty', () => {
    assert.equal(reply([], { type: 'offer', fields: { ciaddr: ip('10.0.0.9') } }).ciaddr, UNSPECIFIED);
  });
});

test('a NAK says who and why and no more; through a relay it asks for a broadcast', () => {
  const direct = composeNak(asked(requestOf('request', machine(1))), network, 'no');
  assert.deepEqual(codes(direct), [53, 54, 56]);
  assert.equal(direct.flags, 0);
  const relayed = composeNak(asked(requestOf('request', machine(1), [], { giaddr: ip('10.0.0.9') })), network, 'no');
  assert.equal(relayed.flags, BROADCAST_FLAG);
});

test('a client’s size limit is kept between what all must take and what fits a frame', () => {
  const limit = (...said: Said[]) => sizeLimit(requestOf('discover', machine(1), said));
  assert.equal(limit(), 548);
  assert.equal(limit(say(OPTION.maxMessageSize, 300)), 548);
  assert.equal(limit(say(OPTION.maxMessageSize, 1024)), 996);
  assert.equal(limit(say(OPTION.maxMessageSize, 65535)), 1472);
  assert.equal(limit([57, Uint8Array.of(9)]), 548);
});
