import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { macFromBytes, parseMac } from '../model/mac.ts';
import { checksum } from './frame.ts';
import { isRouterSolicitation, routerAdvertisement } from './routerAdvertisement.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** What the machine 52:54:00:00:00:51 asks, with its Ethernet address as the one option. */
const SOLICITATION = Buffer.from(
  [
    '6000000000103aff',
    'fe80000000000000505400fffe000051',
    `ff02${'0'.repeat(27)}2`,
    '8500d9e300000000',
    '0101525400000051',
  ].join(''),
  'hex',
);

test('an advertisement from 52:54:00:00:00:01 comes out byte by byte, and offers nothing', () => {
  const mac = parseMac('52:54:00:00:00:01');
  assert.ok(mac);
  const packet = routerAdvertisement(mac);
  assert.equal(hex(packet.subarray(0, 8)), '6000000000103aff', 'version 6, length 16, ICMPv6, hop limit 255');
  assert.equal(hex(packet.subarray(8, 24)), 'fe80000000000000505400fffe000001');
  assert.equal(hex(packet.subarray(24, 40)), 'ff020000000000000000000000000001');
  // By hand: fe80+5054+00ff+fe00+0001 + ff02+0001 + 0010+003a + 8600 = 3d321, folded d324, inverted 2cdb.
  assert.equal(hex(packet.subarray(40)), '86002cdb000000000000000000000000');
});

test('the checksum verifies for every Ethernet address', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
      const packet = routerAdvertisement(macFromBytes(bytes));
      const pseudo = Buffer.concat([packet.subarray(8, 40), Buffer.from([0, 0, 0, 16, 0, 0, 0, 58])]);
      const whole = Buffer.concat([pseudo, packet.subarray(40)]);
      assert.equal(checksum(whole, 0, whole.length), 0);
    }),
  );
});

test('only a router solicitation is one', () => {
  assert.ok(isRouterSolicitation(SOLICITATION, SOLICITATION.length));
  const changed = (at: number, value: number) => {
    const packet = Uint8Array.from(SOLICITATION);
    packet[at] = value;
    return isRouterSolicitation(packet, packet.length);
  };
  assert.equal(changed(0, 0x45), false, 'IPv4');
  assert.equal(changed(6, 17), false, 'UDP');
  assert.equal(changed(7, 64), false, 'one that a router may have forwarded');
  assert.equal(changed(40, 134), false, 'an advertisement');
  assert.equal(changed(41, 1), false, 'an unknown code');
  for (let length = 0; length < 48; length++) assert.equal(isRouterSolicitation(SOLICITATION, length), false);
});

test('whatever bytes arrive are judged without an error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      assert.equal(typeof isRouterSolicitation(bytes, bytes.length), 'boolean');
    }),
  );
});
