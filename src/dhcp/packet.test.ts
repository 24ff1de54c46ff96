import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Ipv4 } from '../model/ipv4.ts';
import { OPTION } from '../model/options.ts';
import { clientOf } from './client.ts';
import { read } from './optionSet.ts';
import { type DhcpPacket, decodePacket, encodePacket, LONGEST_REPLY } from './packet.ts';
import { relayOf } from './relay.ts';
import { machine, requestOf, say } from './testing/fixture.ts';

const decoded = (bytes: Buffer): DhcpPacket => {
  const result = decodePacket(bytes);
  return result.ok ? result.packet : assert.fail(result.reason);
};

const address = fc.nat(0xffffffff).map((value) => value as Ipv4);
const options = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 254 }), fc.uint8Array({ maxLength: 300 })), {
    selector: ([code]) => code,
    maxLength: 3,
  })
  .filter((entries) => entries.every(([code]) => code !== OPTION.overload.code))
  .map((entries) => new Map(entries));
const packets: fc.Arbitrary<DhcpPacket> = fc.record({
  op: fc.constantFrom('request', 'reply'),
  hops: fc.nat(255),
  xid: fc.nat(0xffffffff),
  secs: fc.nat(65535),
  flags: fc.nat(65535),
  ciaddr: address,
  yiaddr: address,
  siaddr: address,
  giaddr: address,
  chaddr: fc.nat(0xffffff).map(machine),
  sname: fc.stringMatching(/^[!-~]{0,63}$/),
  file: fc.stringMatching(/^[!-~]{0,127}$/),
  options,
});
const plain = (packet: DhcpPacket) => ({
  ...packet,
  options: [...packet.options].map(([code, value]) => [code, [...value]]).sort((a, b) => Number(a[0]) - Number(b[0])),
});

describe('a DHCP packet', () => {
  test('reads back as it was written, long options too', () => {
    fc.assert(
      fc.property(packets, (packet) => {
        const bytes = encodePacket(packet);
        assert.ok(bytes.length >= 300 && bytes.length <= LONGEST_REPLY);
        assert.deepEqual(plain(decoded(bytes)), plain(packet));
      }),
    );
  });

  test('any bytes give a packet or a reason, never an exception, and so does all that reads the packet', () => {
    const head = encodePacket(requestOf('discover', machine(1)));
    const behindHeader = fc.uint8Array({ maxLength: 400 }).map((tail) => Buffer.concat([head.subarray(0, 240), tail]));
    const flipped = fc.array(fc.tuple(fc.nat(head.length - 1), fc.nat(255)), { maxLength: 20 }).map((flips) => {
      const bytes = Buffer.from(head);
      for (const [at, value] of flips) bytes[at] = value;
      return bytes;
    });
    const noise = fc.uint8Array({ maxLength: 700 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(noise, behindHeader, flipped), (bytes) => {
        const result = decodePacket(bytes);
        if (!result.ok) return assert.notEqual(result.reason, '');
        clientOf(result.packet);
        relayOf(result.packet);
        assert.ok(encodePacket(result.packet).length <= LONGEST_REPLY);
      }),
      { numRuns: 5000 },
    );
  });

  test('a forged flood of empty options costs little and is bounded', () => {
    const bytes = Buffer.alloc(4096, Buffer.from([12, 1, 65]));
    encodePacket(requestOf('discover', machine(1))).copy(bytes, 0, 0, 240);
    assert.equal(decoded(bytes).options.get(12)?.length, Math.floor(3856 / 3));
    assert.equal(decodePacket(Buffer.concat([bytes, Buffer.alloc(1)])).ok, false);
  });

  for (const [what, spoil] of [
    ['too short', (bytes: Buffer) => bytes.subarray(0, 239)],
    ['with another cookie', (bytes: Buffer) => bytes.fill(9, 236, 240)],
    ['that answers without cookie', (bytes: Buffer) => bytes.fill(2, 0, 1).fill(0, 236, 240)],
    ['of op 3', (bytes: Buffer) => bytes.fill(3, 0, 1)],
    ['of another kind of wire', (bytes: Buffer) => bytes.fill(32, 1, 2)],
    ['with a long address', (bytes: Buffer) => bytes.fill(255, 2, 3)],
    ['empty', () => Buffer.alloc(0)],
  ] as const) {
    test(`one ${what} is refused with a reason`, () => {
      const result = decodePacket(spoil(encodePacket(requestOf('discover', machine(1)))));
      assert.equal(result.ok, false);
    });
  }

  test('a request without cookie is one of BOOTP and says no options (RFC 951)', () => {
    const bytes = encodePacket(requestOf('discover', machine(1))).fill(0, 236, 240);
    const packet = decoded(bytes);
    assert.deepEqual([packet.chaddr, packet.options.size], [machine(1), 0]);
  });

  test('an option of the wrong length costs only itself', () => {
    const packet = requestOf('discover', machine(1), [
      [93, Uint8Array.of(7)],
      [57, Uint8Array.of(1)],
      [12, Buffer.from('a')],
    ]);
    const back = decoded(encodePacket(packet));
    assert.equal(read(back.options, OPTION.clientArch), undefined);
    assert.equal(read(back.options, OPTION.maxMessageSize), undefined);
    assert.equal(read(back.options, OPTION.hostname), 'a');
  });

  test('overloaded fields are read in the order options, file, sname (RFC 3396 section 5)', () => {
    const bytes = encodePacket(
      requestOf('discover', machine(1), [
        [52, Uint8Array.of(3)],
        [12, Buffer.from('a')],
      ]),
    );
    Buffer.from([12, 1, 98, 255]).copy(bytes, 108);
    Buffer.from([12, 1, 99, 60, 1, 100]).copy(bytes, 44);
    const packet = decoded(bytes);
    assert.equal(read(packet.options, OPTION.hostname), 'abc');
    assert.equal(read(packet.options, OPTION.vendorClass), 'd');
    assert.deepEqual([packet.file, packet.sname], ['', '']);
  });

  test('an option that claims more bytes than there are ends the list', () => {
    const bytes = Buffer.concat([
      encodePacket(requestOf('discover', machine(1))).subarray(0, 243),
      Buffer.from([12, 200, 65]),
    ]);
    assert.deepEqual([...decoded(bytes).options.keys()], [53]);
  });

  test('a client that takes little gets what it cannot do without, and the relay its option, last', () => {
    const relay = new Uint8Array(200).fill(7);
    const packet = requestOf('ack', machine(1), [
      [224, new Uint8Array(250)],
      [82, relay],
      [225, new Uint8Array(100)],
      say(OPTION.serverId, 1 as Ipv4),
      say(OPTION.leaseTime, 60),
      say(OPTION.bootFile, 'x'.repeat(100)),
    ]);
    const bytes = encodePacket(packet, 548);
    const back = decoded(bytes);
    assert.deepEqual([...back.options.keys()], [53, 54, 51, 67, 225, 82]);
    assert.ok(bytes.length - 202 <= 548);
    assert.equal(bytes.indexOf(Buffer.concat([Buffer.from([82, 200]), relay])) + 202, bytes.lastIndexOf(255));
  });

  test("a forged relay option does not crowd out the reply's own", () => {
    const back = decoded(encodePacket(requestOf('ack', machine(1), [[82, new Uint8Array(3000)]]), 548));
    assert.deepEqual([...back.options.keys()], [53]);
  });

  test('a name too long for its field is left to its option', () => {
    const back = decoded(
      encodePacket({ ...requestOf('ack', machine(1)), file: 'x'.repeat(128), sname: 'y'.repeat(64) }),
    );
    assert.deepEqual([back.file, back.sname], ['', '']);
  });
});
