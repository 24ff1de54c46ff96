import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { arpSender, echoSender } from './probe.ts';

const bytes = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(' ', ''), 'hex');

const reply = bytes('0001 0800 06 04 0002 525400000009 0a000109 525400000002 0a000102');
const echo = bytes('4500001c 00004000 4001ffff 0a000109 0a000102 0000 ffff 1234 0001');

test('the sender of an ARP packet is read, whether it asks or answers', () => {
  assert.equal(arpSender(reply, 28), 0x0a000109);
  const request = Uint8Array.from(reply);
  request[7] = 1;
  assert.equal(arpSender(request, 28), 0x0a000109);
});

test("another machine's probe, a short packet and other hardware prove nothing", () => {
  const probe = Uint8Array.from(reply).fill(0, 14, 18);
  assert.equal(arpSender(probe, 28), undefined);
  assert.equal(arpSender(reply, 27), undefined);
  for (const at of [0, 1, 2, 3, 4, 5]) {
    const other = Uint8Array.from(reply);
    other[at] = 0x77;
    assert.equal(arpSender(other, 28), undefined);
  }
});

test('an echo reply counts if it carries our identifier, after IP options too', () => {
  assert.equal(echoSender(echo, echo.length, 0x1234), 0x0a000109);
  assert.equal(echoSender(echo, echo.length, 0x1235), undefined);
  assert.equal(echoSender(echo, echo.length - 1, 0x1234), undefined);
  const withOptions = Buffer.concat([echo.subarray(0, 20), bytes('01010101'), echo.subarray(20)]);
  withOptions[0] = 0x46;
  assert.equal(echoSender(withOptions, withOptions.length, 0x1234), 0x0a000109);
  const request = Uint8Array.from(echo);
  request[20] = 8;
  assert.equal(echoSender(request, request.length, 0x1234), undefined);
});

test('no packet makes them throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(80), (packet, length) => {
      arpSender(packet, length);
      echoSender(packet, length, 7);
    }),
  );
});
