import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Ipv4, parseIpv4 } from '../model/ipv4.ts';
import { checksum, fragmentsOf, IPV4_HEADER, UDP_HEADERS, writeIpv4Header, writeUdpPacket } from './frame.ts';

const ip = (text: string): Ipv4 => {
  const parsed = parseIpv4(text);
  assert(parsed !== undefined);
  return parsed;
};
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const anyIp = fc.integer({ min: 0, max: 0xffffffff }).map((n) => n as Ipv4);
const anyPort = fc.integer({ min: 0, max: 0xffff });

test('the example of RFC 1071 section 3 sums to ddf2, so its checksum is 220d', () => {
  assert.equal(checksum(Buffer.from('0001f203f4f5f6f7', 'hex'), 0, 8), 0x220d);
});

test('an odd byte at the end counts as the high half of a word', () => {
  assert.equal(checksum(Uint8Array.of(0x12, 0x34, 0x56), 0, 3), ~(0x1234 + 0x5600) & 0xffff);
});

test('a packet from 10.0.0.2:67 to 10.0.0.51:68 comes out byte by byte', () => {
  const into = new Uint8Array(64).fill(0xee);
  const from = { ip: ip('10.0.0.2'), port: 67 };
  const length = writeUdpPacket(into, from, { ip: ip('10.0.0.51'), port: 68 }, Uint8Array.of(1, 2, 3));
  // Sums worked out by hand: IP words 4500+001f+4000+4011+0a00+0002+0a00+0033 = d965;
  // UDP words 0a00+0002+0a00+0033+0011+000b + 0043+0044+000b+0102+0300 = 18e5.
  assert.equal(hex(into.subarray(0, IPV4_HEADER)), '4500001f000040004011269a0a0000020a000033');
  assert.equal(hex(into.subarray(IPV4_HEADER, length)), '00430044000be71a010203');
  assert.equal(into[length], 0xee);
});

test('every header and datagram carries a checksum that verifies', () => {
  const payload = fc.uint8Array({ maxLength: 1472 });
  fc.assert(
    fc.property(anyIp, anyPort, anyIp, anyPort, payload, (fromIp, fromPort, toIp, toPort, bytes) => {
      const into = new Uint8Array(UDP_HEADERS + bytes.length);
      const from = { ip: fromIp, port: fromPort };
      const length = writeUdpPacket(into, from, { ip: toIp, port: toPort }, bytes);
      assert.equal(length, into.length);
      assert.equal(checksum(into, 0, IPV4_HEADER), 0);
      const pseudo = new Uint8Array(12);
      pseudo.set(into.subarray(12, 20));
      pseudo[9] = 17;
      pseudo.set(into.subarray(24, 26), 10);
      assert.equal(checksum(Buffer.concat([pseudo, into.subarray(IPV4_HEADER)]), 0, 12 + length - IPV4_HEADER), 0);
      assert.notEqual(hex(into.subarray(26, 28)), '0000');
      assert.deepEqual(into.subarray(UDP_HEADERS), bytes);
    }),
  );
});

test('a datagram whose sum is zero is sent with all ones', () => {
  const into = new Uint8Array(UDP_HEADERS + 2);
  const zero = { ip: 0 as Ipv4, port: 0 };
  // The other words are protocol 17, and length 10 twice: this one brings the sum to ffff.
  const word = 0xffff - 17 - 10 - 10;
  writeUdpPacket(into, zero, zero, Uint8Array.of(word >>> 8, word & 0xff));
  assert.equal(hex(into.subarray(26, 28)), 'ffff');
});

test('an old header leaves nothing behind in a reused buffer', () => {
  const reused = new Uint8Array(20).fill(0xff);
  writeIpv4Header(reused, 1, ip('10.0.0.2'), ip('10.0.0.9'), 28);
  const fresh = new Uint8Array(20);
  writeIpv4Header(fresh, 1, ip('10.0.0.2'), ip('10.0.0.9'), 28);
  assert.deepEqual(reused, fresh);
});

describe('a packet that is larger than the link takes', () => {
  const from = { ip: ip('10.0.0.2'), port: 67 };
  const to = { ip: ip('10.0.0.51'), port: 68 };
  const payload = Uint8Array.from({ length: 1472 }, (_, i) => i * 7);
  const packet = new Uint8Array(1500);
  const length = writeUdpPacket(packet, from, to, payload);
  const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset);

  for (const mtu of [28, 68, 576, 1280, 1499]) {
    test(`fits ${mtu} bytes in fragments that together are the packet (RFC 791 section 3.2)`, () => {
      const fragments = fragmentsOf(packet, length, mtu, 0x1234);
      const data = new Uint8Array(length - 20);
      let end = 0;
      for (const [i, fragment] of fragments.entries()) {
        const fields = view(fragment);
        const isLast = i === fragments.length - 1;
        assert(fragment.length <= mtu);
        assert.equal(fields.getUint16(2), fragment.length);
        assert.equal(fields.getUint16(4), 0x1234);
        assert.equal(fields.getUint16(6) & 0xe000, isLast ? 0 : 0x2000, 'more fragments, and no "do not fragment"');
        assert.equal((fields.getUint16(6) & 0x1fff) * 8, end);
        assert.equal(checksum(fragment, 0, 20), 0);
        assert.deepEqual(fragment.subarray(12, 20), packet.subarray(12, 20));
        data.set(fragment.subarray(20), end);
        end += fragment.length - 20;
      }
      assert.deepEqual(data, packet.slice(20, length));
    });
  }
  test('cannot be cut for a link that takes next to nothing', () => {
    assert.deepEqual(fragmentsOf(packet, length, 27, 1), []);
    assert.deepEqual(fragmentsOf(packet, length, 0, 1), []);
  });
});
