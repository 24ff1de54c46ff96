import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decideBoot } from '../boot/decide.ts';
import { textPattern } from '../model/bytePattern.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Network } from '../model/network.ts';
import { OPTION } from '../model/options.ts';
import { ip, mac, nodeOf, siteFixture } from '../site/testing/fixture.ts';
import { read } from './optionSet.ts';
import { rehearse } from './rehearse.ts';
import { networkOf, poolOf, siteOf } from './testing/fixture.ts';

const site = siteFixture();
const play = (address: string, architecture: number, ipxe: boolean) =>
  rehearse(
    { mac: mac(address), architecture, ipxe },
    site,
    [],
    (client, node, network) => decideBoot(client, node, { ip: network.server, httpPort: 8080 }),
    0,
  );

describe('a rehearsed DISCOVER', () => {
  const rows: [string, number, boolean, string | undefined][] = [
    ['52:54:00:00:00:51', 0, false, 'undionly.kpxe'],
    ['52:54:00:00:00:51', 7, false, 'snponly.efi'],
    ['52:54:00:00:00:51', 0, true, 'http://10.0.0.2:8080/boot/ipxe/52:54:00:00:00:51'],
    ['52:54:00:00:01:00', 0, false, undefined],
  ];
  it('is of the class in which its firmware speaks, so that the reply is in that class too', () => {
    const shim = siteOf([
      networkOf('lan', '10.0.0.0/24', [['10.0.0.9', 'any']], { interface: 'br0', bootFile: 'x.efi' }),
    ]);
    for (const [architecture, vendorClass] of [
      [0, 'PXEClient'],
      [7, 'PXEClient'],
      [16, 'HTTPClient'],
    ] as const) {
      const who = { mac: mac('52:54:00:00:99:99'), architecture, ipxe: false };
      const { plan } = rehearse(who, shim, [], () => ({ kind: 'none', reason: { code: 'not-listed' } }), 0);
      assert.ok(plan.kind === 'offer');
      assert.equal(read(plan.reply.packet.options, OPTION.vendorClass), vendorClass, `${architecture}`);
    }
  });
  for (const [address, architecture, ipxe, file] of rows) {
    it(`of ${address}, architecture ${architecture}${ipxe ? ', iPXE' : ''}, is told ${file ?? 'an address only'}`, () => {
      const { plan } = play(address, architecture, ipxe);
      assert.ok(plan.kind === 'offer');
      assert.equal(read(plan.reply.packet.options, OPTION.bootFile), file);
    });
  }

  it('of a node behind relays is one through a relay of its network, unless another is named', () => {
    const { interface: _, ...far } = networkOf('far', '10.8.0.0/24', [['10.8.0.10-10.8.0.20', 'known']]);
    const node = nodeOf('node08', [mac('52:54:00:00:08:01')], { network: 'far' });
    const played = (relays: Network['relays'], relay?: Ipv4) =>
      rehearse(
        { mac: node.macs[0], architecture: 0, ipxe: false, ...(relay === undefined ? {} : { relay }) },
        siteOf([networkOf('lan', '10.0.0.0/24', []), { ...far, relays }], [node]),
        [],
        () => ({ kind: 'none', reason: { code: 'not-listed' } }),
        0,
      ).plan;
    const listed = { first: ip('172.16.0.1'), last: ip('172.16.0.9') };
    for (const plan of [played([]), played([listed]), played([listed], ip('172.16.0.4'))])
      assert.equal(plan.kind === 'offer' && plan.network.name, 'far');
    const unknown = played([listed], ip('172.16.0.10'));
    assert.ok(unknown.kind === 'silence');
    assert.deepEqual(unknown.refusal, { code: 'relay-unknown', relay: ip('172.16.0.10') });
  });

  it('of a stranger where no pool is open to it is not answered', () => {
    const { plan, left } = play('52:54:00:00:99:99', 0, false);
    assert.equal(plan.kind, 'silence');
    assert.ok(!('reply' in plan));
    assert.deepEqual(left, []);
  });
});

describe('options shown to people', () => {
  const rows: [keyof typeof OPTION, string, string][] = [
    ['dns', '0a0000010a000002', '10.0.0.1, 10.0.0.2'],
    ['routes', '180a0100' + '0a0000fe', '10.1.0.0/24 via 10.0.0.254'],
    ['search', '0161016200', 'a.b'],
    ['vendor', '060108ff', '060108ff'],
    ['hostname', '6e31', 'n1'],
    ['mtu', '2328', '9000'],
  ];
  for (const [name, hex, shown] of rows) {
    it(`${name}: ${shown}`, () => {
      const { kind } = OPTION[name];
      const value = kind.decode(Buffer.from(hex, 'hex'));
      assert.notEqual(value, undefined);
      assert.equal(kind.show(value as never), shown);
    });
  }

  it('of one that says something of itself tells its classes, and why pools are open to it', () => {
    const [network] = site.networks.values();
    const conditions = {
      vendorClass: [textPattern('docsis*') ?? assert.fail()],
      circuitId: [textPattern('eth7') ?? assert.fail()],
    };
    const modems = { name: 'modems', conditions, bootFile: 'modem.cfg', options: new Map() };
    const pools = [
      poolOf('10.0.0.200', 'modems'),
      poolOf('10.0.0.201', 'known !modems'),
      poolOf('10.0.0.202', 'any !unknown'),
    ];
    const withModems = {
      ...site,
      classes: new Map([['modems', modems]]),
      networks: new Map([['openstack', { ...(network ?? assert.fail()), pools }]]),
    };
    const part = {
      mac: mac('52:54:00:00:99:99'),
      architecture: 0,
      ipxe: false,
      vendorClass: 'docsis3.0',
      circuitId: 'eth7',
    };
    const seen = rehearse(part, withModems, [], () => ({ kind: 'none', reason: { code: 'not-listed' } }), 0);
    assert.deepEqual(seen.exchange.classes, [modems]);
    const { plan } = seen;
    assert.ok(plan.kind === 'offer');
    assert.deepEqual(
      seen.pools.map(({ verdict }) => verdict),
      [
        { open: true, code: 'allowed', member: 'modems' },
        { open: false, code: 'denied', member: 'modems' },
        { open: false, code: 'denied', member: 'unknown' },
      ],
    );
    assert.deepEqual(plan.boot.reason, { code: 'operator', bootFile: { of: 'class', name: 'modems' } });
    assert.equal(plan.reply.packet.file, 'modem.cfg');
    // An operating system is told in the fields of BOOTP, and in options only what it asks for.
    assert.equal(plan.reply.packet.options.has(OPTION.bootFile.code), false);
  });
});
