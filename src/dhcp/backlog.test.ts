import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ip, mac } from '../site/testing/fixture.ts';
import { Backlog } from './backlog.ts';
import { encodePacket } from './packet.ts';
import { machine, requestOf } from './testing/fixture.ts';

const NODE = machine(1);
const OTHER_NODE = machine(2);
const from = { ip: ip('10.0.0.9'), port: 68 };
const backlog = (): Backlog => new Backlog((asking) => asking === NODE || asking === OTHER_NODE);
const request = (chaddr = NODE): Buffer => encodePacket(requestOf('discover', chaddr, []));
const stranger = (n: number): Buffer =>
  request(mac(`06:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`));

describe('requests that wait', () => {
  test('are taken in their order, those of listed machines apart', () => {
    const waiting = backlog();
    const sent = [stranger(1), request(), stranger(2), request(OTHER_NODE)];
    for (const bytes of sent) assert(waiting.add(bytes, from));
    assert.deepEqual([waiting.nextListed()?.bytes, waiting.nextListed()?.bytes], [sent[1], sent[3]]);
    assert.equal(waiting.nextListed(), undefined);
    assert.equal(waiting.isEmpty, false);
    assert.deepEqual(waiting.nextOther(), { bytes: sent[0], from });
    assert.deepEqual(waiting.nextOther(), { bytes: sent[2], from });
    assert.equal(waiting.nextOther(), undefined);
    assert.equal(waiting.isEmpty, true);
  });

  test('of strangers are bounded, and leave the listed their room', () => {
    const waiting = backlog();
    let taken = 0;
    for (let i = 0; i < 10_000; i++) if (waiting.add(stranger(i), from)) taken++;
    assert.equal(taken, 2048);
    assert(waiting.add(request(), from));
    assert.deepEqual(waiting.nextListed()?.bytes, request());
    for (let i = 0; i < 10_000; i++) {
      waiting.nextOther();
      assert(waiting.add(stranger(i), from), 'what is taken makes room');
    }
  });

  test("under a node's own address pass no more than four others, and keep no other node back", () => {
    const waiting = backlog();
    let taken = 0;
    for (let i = 0; i < 10_000; i++) if (waiting.add(request(), from)) taken++;
    assert.equal(taken, 4 + 2048);
    assert(waiting.add(request(OTHER_NODE), from));
    for (let i = 0; i < 4; i++) assert.deepEqual(waiting.nextListed()?.bytes, request());
    assert.deepEqual(waiting.nextListed()?.bytes, request(OTHER_NODE));
    assert.equal(waiting.nextListed(), undefined);
    assert(waiting.add(request(), from), 'those that were answered count no more');
    assert.deepEqual(waiting.nextListed()?.bytes, request());
  });

  test('may be no packets at all', () => {
    const waiting = backlog();
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(28), Buffer.alloc(33), Buffer.alloc(34)]) {
      assert(waiting.add(bytes, from));
      assert.equal(waiting.nextOther()?.bytes, bytes);
    }
  });

  test('are forgotten together', () => {
    const waiting = backlog();
    waiting.add(request(), from);
    waiting.add(stranger(1), from);
    waiting.clear();
    assert.equal(waiting.isEmpty, true);
    for (let i = 0; i < 4; i++) assert(waiting.add(request(), from));
    for (let i = 0; i < 4; i++) assert(waiting.nextListed());
  });
});
