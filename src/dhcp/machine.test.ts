import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UNSPECIFIED } from '../model/ipv4.ts';
import { parseMac } from '../model/mac.ts';
import { clientOf } from './client.ts';
import { machineOf } from './machine.ts';
import type { DhcpPacket } from './packet.ts';

const chaddr = parseMac('52:54:00:00:00:51');
function request(options: ReadonlyMap<number, Uint8Array>): DhcpPacket {
  return { chaddr, giaddr: UNSPECIFIED, options } as DhcpPacket;
}
const told = (options: ReadonlyMap<number, Uint8Array>) => machineOf(request(options), clientOf(request(options)));

test('a machine is told by what its firmware says', () => {
  const relay = Buffer.concat([Buffer.from([1, 5]), Buffer.from('Gi0/7'), Buffer.from([2, 3, 0, 4, 255])]);
  const machine = told(
    new Map<number, Uint8Array>([
      [12, Buffer.from('no\nde\u00e4')],
      [60, Buffer.from('PXEClient:Arch:00007:UNDI:003001')],
      [82, relay],
      [93, Uint8Array.of(0, 7)],
      [97, Uint8Array.of(0, 0x4c, 0x4c, 0x45, 0x44, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)],
    ]),
  );
  assert.deepEqual(machine, {
    hostname: 'no?de?',
    vendorClass: 'PXEClient:Arch:00007:UNDI:003001',
    architectures: [7],
    firmware: 'efi-x64',
    uuid: '4c4c4544-0001-0203-0405-060708090a0b',
    circuitId: 'Gi0/7',
    remoteId: '00:04:ff',
  });
  assert.deepEqual(told(new Map()), {});
});

test('whatever the options hold, the texts are short, printable and in bounds', () => {
  const option = fc.tuple(fc.constantFrom(12, 60, 82, 93, 97), fc.uint8Array({ maxLength: 300 }));
  fc.assert(
    fc.property(fc.array(option, { maxLength: 5 }), (options) => {
      const text = JSON.stringify(told(new Map(options)));
      assert.ok(text.length < 2000);
      assert.doesNotMatch(text, /\\u|\\n/);
    }),
  );
});
