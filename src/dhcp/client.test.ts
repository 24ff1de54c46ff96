import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Ipv4 } from '../model/ipv4.ts';
import { OPTION } from '../model/options.ts';
import { ip } from '../site/testing/fixture.ts';
import { clientOf } from './client.ts';
import { destinationOf } from './destination.ts';
import { exchangeOf } from './exchange.ts';
import { BROADCAST_FLAG, type DhcpPacket } from './packet.ts';
import { relayOf } from './relay.ts';
import { machine, networkOf, requestOf, type Said, say, siteOf } from './testing/fixture.ts';

const pxe = say(OPTION.vendorClass, 'PXEClient:Arch:00000:UNDI:002001');
const http = say(OPTION.vendorClass, 'HTTPClient:Arch:00016:UNDI:003001');
const arch = (...types: number[]) => say(OPTION.clientArch, types);
const userClass = (bytes: string | Uint8Array): Said => [77, Buffer.from(bytes)];
const features = (...bytes: number[]): Said => [175, Uint8Array.from(bytes)];

describe('who is asking', () => {
  const rows: [string, Said[], Partial<ReturnType<typeof clientOf>>][] = [
    [
      'an operating system',
      [say(OPTION.vendorClass, 'udhcp 1.36')],
      { stage: 'os', asksToBoot: false, firmware: 'unknown' },
    ],
    [
      'one that asks for a boot file',
      [say(OPTION.parameterList, Uint8Array.of(1, 67))],
      { stage: 'os', asksToBoot: true },
    ],
    ['a loader that says no class of vendor', [arch(22)], { stage: 'firmware', asksToBoot: true, firmware: 'unknown' }],
    ['BIOS', [pxe, arch(0)], { stage: 'firmware', firmware: 'bios', vendorClass: 'PXEClient', asksToBoot: true }],
    ['BIOS without option 93', [pxe], { stage: 'firmware', firmware: 'bios' }],
    ['BIOS with one byte of option 93', [pxe, [93, Uint8Array.of(0)]], { stage: 'firmware', firmware: 'bios' }],
    ['32-bit UEFI', [pxe, arch(6)], { firmware: 'efi-ia32' }],
    ['x64 UEFI', [pxe, arch(7)], { firmware: 'efi-x64' }],
    ['x64 UEFI by its other number', [pxe, arch(9)], { firmware: 'efi-x64' }],
    ['arm64 UEFI', [pxe, arch(11)], { firmware: 'efi-arm64' }],
    ['32-bit HTTP', [http, arch(15)], { firmware: 'unknown', stage: 'firmware' }],
    ['x64 HTTP', [http, arch(16)], { firmware: 'efi-x64-http', vendorClass: 'HTTPClient' }],
    ['arm64 HTTP', [http, arch(19)], { firmware: 'efi-arm64-http' }],
    ['a list of kinds, the first unknown', [pxe, arch(1000, 7)], { firmware: 'efi-x64' }],
    ['an unknown kind', [pxe, arch(1000)], { firmware: 'unknown' }],
    [
      'iPXE, user class as text',
      [pxe, arch(0), userClass('iPXE'), features(19, 1, 1, 39, 1, 1)],
      { stage: 'ipxe', firmware: 'bios', ipxe: { http: true, menu: true, own: false } },
    ],
    [
      'iPXE, user class with lengths (RFC 3004)',
      [pxe, userClass('\x04iPXE\x03abc')],
      { stage: 'ipxe', ipxe: { http: false, menu: false, own: false } },
    ],
    [
      'iPXE with a user class of its own, known by option 175',
      [userClass('site'), features(19, 1, 1)],
      { stage: 'ipxe' },
    ],
    ['our own iPXE', [userClass('reveille')], { stage: 'ipxe', ipxe: { http: false, menu: false, own: true } }],
    [
      'iPXE whose HTTP is off',
      [userClass('iPXE'), features(19, 1, 0)],
      { ipxe: { http: false, menu: false, own: false } },
    ],
    [
      'iPXE, features padded and cut short',
      [userClass('iPXE'), features(0, 0, 19, 1, 1, 39)],
      { ipxe: { http: true, menu: false, own: false } },
    ],
  ];
  for (const [what, said, expected] of rows) {
    test(what, () => {
      const client = clientOf(requestOf('discover', machine(1), said));
      assert.deepEqual(
        Object.fromEntries(Object.keys(expected).map((key) => [key, Reflect.get(client, key)])),
        expected,
      );
      if (!expected.ipxe && expected.stage !== 'ipxe') assert.equal(client.ipxe, undefined);
    });
  }
});

describe('what a relay says', () => {
  const relayed = (...bytes: number[]) =>
    requestOf('discover', machine(1), [[82, Uint8Array.from(bytes)]], { giaddr: ip('10.9.0.1') });

  test('nothing without giaddr', () => {
    assert.equal(relayOf(requestOf('discover', machine(1), [[82, Uint8Array.of(5, 4, 10, 1, 0, 0)]])), undefined);
  });
  test('its address, where it says no more', () => {
    assert.deepEqual(relayOf(relayed(1, 2, 65, 66)), { link: ip('10.9.0.1'), ownPort: false });
  });
  test('link selection, server identifier override and its own port', () => {
    assert.deepEqual(relayOf(relayed(5, 4, 10, 1, 0, 0, 11, 4, 10, 1, 0, 9, 19, 0)), {
      link: ip('10.1.0.0'),
      serverOverride: ip('10.1.0.9'),
      ownPort: true,
    });
  });
  test('sub-options of a wrong length or cut short say nothing', () => {
    assert.deepEqual(relayOf(relayed(5, 3, 10, 1, 0, 11, 4, 10)), { link: ip('10.9.0.1'), ownPort: false });
  });
});

describe('where a reply goes (RFC 2131 section 4.1)', () => {
  const yiaddr = ip('10.0.0.51');
  const none = 0 as Ipv4;
  const everybody = { kind: 'frame', ip: 0xffffffff, mac: 'ff:ff:ff:ff:ff:ff', port: 68 };
  const site = siteOf([networkOf('rack', '10.0.0.0/24', [])]);
  const from = { ip: ip('10.0.0.77'), port: 1067 };
  const to = (fields: Partial<DhcpPacket>, isNak = false, given: Ipv4 = yiaddr, said: Said[] = []) =>
    destinationOf(exchangeOf(requestOf('request', machine(1), said, fields), from, 'br0', site), given, isNak);
  const giaddr = ip('10.9.0.1');
  const ciaddr = ip('10.0.0.51');

  test('to the relay, whatever else', () => {
    const relay = { kind: 'datagram', ip: giaddr, port: 67 };
    assert.deepEqual(to({ giaddr }), relay);
    assert.deepEqual(to({ giaddr, ciaddr, flags: BROADCAST_FLAG }), relay);
    assert.deepEqual(to({ giaddr }, true), relay);
    assert.deepEqual(to({ giaddr }, false, yiaddr, [[82, Uint8Array.of(19, 0)]]), { ...relay, port: 1067 });
  });
  test('to everybody, where it is a NAK', () => assert.deepEqual(to({ ciaddr }, true, none), everybody));
  test('to the address that the client has: in a frame of its own on this wire, routed elsewhere', () => {
    const frame = { kind: 'frame', ip: ciaddr, mac: machine(1), port: 68 };
    assert.deepEqual(to({ ciaddr, flags: BROADCAST_FLAG }), frame);
    assert.deepEqual(to({ ciaddr }, false, none), frame);
    const routed = ip('10.9.0.51');
    assert.deepEqual(to({ ciaddr: routed }), { kind: 'datagram', ip: routed, port: 68 });
  });
  test('to everybody, where the client asks for it', () => assert.deepEqual(to({ flags: BROADCAST_FLAG }), everybody));
  test('to where an INFORM without an address came from, and through its relay', () => {
    const informs = (sender: string, fields: Partial<DhcpPacket> = {}) =>
      destinationOf(
        exchangeOf(requestOf('inform', machine(1), [], fields), { ip: ip(sender), port: 68 }, 'br0', site),
        none,
        false,
      );
    assert.deepEqual(informs('10.0.0.77'), { kind: 'frame', ip: ip('10.0.0.77'), mac: machine(1), port: 68 });
    assert.deepEqual(informs('10.9.0.77'), { kind: 'datagram', ip: ip('10.9.0.77'), port: 68 });
    assert.deepEqual(informs('10.0.0.77', { ciaddr }), { kind: 'frame', ip: ciaddr, mac: machine(1), port: 68 });
    assert.deepEqual(informs('10.9.0.1', { giaddr }), { kind: 'datagram', ip: giaddr, port: 67 });
  });
  test('else to its Ethernet address', () => {
    assert.deepEqual(to({}), { kind: 'frame', ip: yiaddr, mac: machine(1), port: 68 });
  });
});
