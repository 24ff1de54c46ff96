import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { hexPattern, textPattern } from '../model/bytePattern.ts';
import type { Conditions, SiteClass } from '../model/network.ts';
import { OPTION } from '../model/options.ts';
import { mac } from '../site/testing/fixture.ts';
import { classesOf } from './classes.ts';
import { clientOf } from './client.ts';
import { decodePacket, encodePacket } from './packet.ts';
import { requestOf, type Said, say } from './testing/fixture.ts';

const text = (...patterns: string[]) => patterns.map((pattern) => textPattern(pattern) ?? assert.fail(pattern));
const hex = (pattern: string) => [hexPattern(pattern) ?? assert.fail(pattern)];
const MACHINE = mac('52:54:00:00:00:51');

const named = (name: string, conditions: Conditions): SiteClass => ({ name, conditions, options: new Map() });
const siteWith = (...classes: SiteClass[]) => ({ classes: new Map(classes.map((each) => [each.name, each])) });

function isMember(conditions: Conditions, said: readonly Said[], from = MACHINE): boolean {
  const request = requestOf('discover', from, said);
  return classesOf(request, clientOf(request), siteWith(named('it', conditions))).length === 1;
}

const vendor = (words: string) => say(OPTION.vendorClass, words);
const bytes = (code: number, ...parts: (string | number)[]): Said => [
  code,
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part)))),
];
const arch = (...types: number[]) => say(OPTION.clientArch, types);
const pxe = vendor('PXEClient:Arch:00007:UNDI:003000');

describe('a client belongs to a class', () => {
  const rows: [what: string, conditions: Conditions, said: readonly Said[], member: boolean][] = [
    ['by its address', { macs: [{ mac: MACHINE, bits: 48 }] }, [], true],
    ['not by another', { macs: [{ mac: mac('52:54:00:00:00:52'), bits: 48 }] }, [], false],
    ['by its maker', { macs: [{ mac: mac('52:54:00:00:00:00'), bits: 24 }] }, [], true],
    ['not by another maker', { macs: [{ mac: mac('52:54:01:00:00:00'), bits: 24 }] }, [], false],
    ['by the first bits', { macs: [{ mac: mac('52:54:00:00:00:40'), bits: 42 }] }, [], true],
    ['not beyond them', { macs: [{ mac: mac('52:54:00:00:00:80'), bits: 41 }] }, [], false],
    ['whatever it is', { macs: [{ mac: mac('00:00:00:00:00:00'), bits: 0 }] }, [], true],
    ['nobody of an empty list', { macs: [] }, [], false],
    ['nobody where nothing is asked', {}, [], false],
    ['by its vendor class', { vendorClass: text('PXEClient*') }, [pxe], true],
    ['by one of several', { vendorClass: text('docsis*', 'PXEClient*') }, [pxe], true],
    ['with a NUL behind it', { vendorClass: text('MSFT 5.0') }, [bytes(60, 'MSFT 5.0', 0)], true],
    ['not without one', { vendorClass: text('*') }, [], false],
    ['by its user class as raw text', { userClass: text('iPXE') }, [bytes(77, 'iPXE')], true],
    ['with its length before it (RFC 3004)', { userClass: text('iPXE') }, [bytes(77, 4, 'iPXE')], true],
    ['by the second of two', { userClass: text('gPXE', 'iPXE') }, [bytes(77, 3, 'abc', 4, 'iPXE')], true],
    ['ended by a NUL', { userClass: text('iPXE') }, [bytes(77, 'iPXE', 0)], true],
    ['not where the length lies', { userClass: text('iPXE') }, [bytes(77, 200, 'iPXE')], false],
    [
      'not in more than an option holds',
      { userClass: text('iPXE') },
      [bytes(77, 4, 'iPXE', 251, 'x'.repeat(251))],
      false,
    ],
    ['by its firmware', { arch: ['efi-x64'] }, [pxe, arch(7)], true],
    ['which has two numbers', { arch: ['efi-x64'] }, [pxe, arch(9)], true],
    ['or none, with BIOS', { arch: ['bios'] }, [vendor('PXEClient')], true],
    ['by a number', { arch: [0x1f] }, [pxe, arch(0x1f)], true],
    ['not by the other', { arch: ['bios', 9] }, [pxe, arch(7)], false],
    ['not with half a number', { arch: [7] }, [bytes(93, 7)], false],
    ['by its port', { circuitId: text('eth0/1/*') }, [bytes(82, 2, 2, 'ab', 1, 8, 'eth0/1/7')], true],
    ['by its port in hex', { circuitId: hex('00:04:*') }, [bytes(82, 1, 4, 0, 4, 1, 2)], true],
    ['not by another', { circuitId: text('eth0/2/*') }, [bytes(82, 1, 8, 'eth0/1/7')], false],
    ['by its switch', { remoteId: text('sw7') }, [bytes(82, 1, 1, 'a', 2, 3, 'sw7')], true],
    ['not where the length lies', { remoteId: text('sw7') }, [bytes(82, 2, 9, 'sw7')], false],
    ['if all kinds of condition hold', { vendorClass: text('PXE*'), arch: [7] }, [pxe, arch(7)], true],
    ['not if one does not', { vendorClass: text('PXE*'), arch: [0] }, [pxe, arch(7)], false],
    ['not with more than an option holds', { vendorClass: text('P*') }, [vendor('P'.repeat(300))], false],
  ];
  for (const [what, conditions, said, member] of rows) {
    test(what, () => assert.equal(isMember(conditions, said), member));
  }

  test('or to several, which come in the order of the site', () => {
    const site = siteWith(
      named('second', { vendorClass: text('PXE*') }),
      named('other', { arch: ['bios'] }),
      named('first', { macs: [{ mac: MACHINE, bits: 48 }] }),
    );
    const request = requestOf('discover', MACHINE, [pxe, arch(7)]);
    const names = classesOf(request, clientOf(request), site).map(({ name }) => name);
    assert.deepEqual(names, ['second', 'first']);
  });
});

test('whatever a client says, membership is decided', () => {
  const all = named('all', {
    macs: [{ mac: MACHINE, bits: 12 }],
    vendorClass: text('*?*'),
    userClass: text('*?*'),
    circuitId: text('*?*'),
    remoteId: text('*?*'),
    arch: ['bios', 7],
  });
  const one = (code: number) => fc.tuple(fc.constant(code), fc.uint8Array({ maxLength: 300 }));
  fc.assert(
    fc.property(fc.tuple(...[60, 77, 82, 93].map(one)), (said) => {
      const decoded = decodePacket(encodePacket(requestOf('discover', MACHINE, said)));
      assert.ok(decoded.ok);
      const { packet } = decoded;
      for (const condition of Object.entries(all.conditions)) {
        classesOf(packet, clientOf(packet), siteWith(named('it', Object.fromEntries([condition]))));
      }
      assert.ok(classesOf(packet, clientOf(packet), siteWith(all)).length <= 1);
    }),
  );
});
