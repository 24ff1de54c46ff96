import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ipv4 } from '../model/ipv4.ts';
import { Admission, type AdmissionLimits, type Incoming, type Session } from './admission.ts';
import type { Delivery } from './delivery.ts';

const LIMITS: AdmissionLimits = { maxTransfers: 3, maxTransfersPerClient: 2, maxUnheard: 4 };
const SERVER = 0x0a000001 as Ipv4;

/** A request of client `host`, from `port`, for `file`. */
function from(host: number, port = 2000, file = 'file', known = false): Incoming {
  return { at: SERVER, peer: { ip: (0x0a000100 + host) as Ipv4, port }, request: Buffer.from(file), known };
}

class Door {
  readonly admission = new Admission();
  readonly limits: AdmissionLimits;
  now = 100_000;

  constructor(limits: Partial<AdmissionLimits> = {}) {
    this.limits = { ...LIMITS, ...limits };
  }

  /** Undefined if it is left without an answer. */
  ask(incoming: Incoming): Session | undefined {
    if (!this.admission.hasRoom(incoming, this.limits, this.now)) return undefined;
    return this.admission.open(incoming, this.limits, this.now);
  }

  hear(session: Session | undefined): boolean {
    assert.ok(session !== undefined);
    return this.admission.hear(session, this.limits, this.now);
  }
}

/** A delivery of which so much has been acknowledged. */
function progress(acknowledged: number): Delivery {
  return { acknowledged, heardAt: 0, fail: () => {} } as unknown as Delivery;
}

test('clients that were not heard give way to the next, the oldest first, and take no place of those that were', () => {
  const door = new Door();
  const heard = [1, 2].map((host) => door.ask(from(host)));
  assert.ok(heard.every((session) => door.hear(session)));
  const forged = Array.from({ length: 1100 }, (_, i) => door.ask(from(1000 + i)));
  assert.ok(forged.every((session) => session !== undefined));
  assert.deepEqual([door.admission.size, door.admission.unheard], [6, 4]);
  assert.equal(forged.filter((session) => session?.cancelled === undefined).length, 4);
  assert.ok(heard.every((session) => session?.cancelled === undefined));

  const real = door.ask(from(3));
  assert.ok(door.hear(real));
  assert.ok(forged[1097]?.cancelled === undefined && forged[1096]?.cancelled !== undefined);
});

test('strangers that were not heard go before known clients, and never push one out', () => {
  const door = new Door();
  const nodes = [1, 2, 3, 4].map((host) => door.ask(from(host, 2000, 'file', true)));
  assert.equal(door.ask(from(1000)), undefined);
  assert.ok(nodes.every((session) => session?.cancelled === undefined));
  door.admission.close(nodes[3] as Session);
  const stranger = door.ask(from(1001));
  assert.ok(door.ask(from(5, 2000, 'file', true)));
  assert.ok(stranger?.cancelled !== undefined && nodes[0]?.cancelled === undefined);
});

test('one client has a limit: it waits, until its oldest that was not heard has had its time', () => {
  const door = new Door();
  const first = door.ask(from(1, 2001));
  assert.ok(first);
  assert.ok(door.ask(from(1, 2002)));
  assert.equal(door.ask(from(1, 2003)), undefined);
  assert.ok(door.ask(from(2, 2003)), 'others are not concerned');
  door.now += 500;
  assert.ok(door.ask(from(1, 2003)));
  assert.ok(first.cancelled !== undefined);
  assert.equal(door.admission.size, 3);
});

test('transfers that were heard keep their places from their own client too', () => {
  const door = new Door();
  const both = [2001, 2002].map((port) => door.ask(from(1, port)));
  assert.ok(both.every((session) => door.hear(session)));
  door.now += 60_000;
  assert.equal(door.ask(from(1, 2003)), undefined);
  assert.ok(both.every((session) => session?.cancelled === undefined));
});

test('a client that is heard when all places are taken waits for one', () => {
  const door = new Door();
  const waiting = door.ask(from(9));
  const heard = [1, 2, 3].map((host) => door.ask(from(host)));
  assert.ok(heard.every((session) => door.hear(session)));
  assert.equal(door.hear(waiting), false);
  assert.equal(door.ask(from(10)), undefined);
  door.admission.close(heard[0] as Session);
  assert.equal(door.hear(waiting), true);
  assert.equal(door.hear(waiting), true, 'once heard, heard');
  assert.equal(door.admission.size, 3);
});

test('when all places are taken, a transfer that has crept for long enough gives way, and a node’s to a node’s alone', () => {
  const door = new Door();
  const [creeping, fast, node] = [from(1), from(2), from(3, 2000, 'file', true)].map((one) => door.ask(one));
  for (const session of [creeping, fast, node]) assert.ok(door.hear(session));
  assert.ok(creeping && fast && node);
  creeping.delivery = progress(10_000);
  fast.delivery = progress(10_000_000);
  node.delivery = progress(100);
  door.now += 9000;
  assert.equal(door.ask(from(4)), undefined);
  door.now += 1001;
  assert.ok(door.hear(door.ask(from(4))));
  assert.ok(creeping.cancelled !== undefined && fast.cancelled === undefined && node.cancelled === undefined);
  assert.equal(door.ask(from(5)), undefined);
  assert.ok(door.hear(door.ask(from(6, 2000, 'file', true))));
  assert.ok(node.cancelled !== undefined && fast.cancelled === undefined);
});

test('an evicted session cannot be heard, and closing it twice changes nothing', () => {
  const door = new Door({ maxUnheard: 1 });
  const first = door.ask(from(1));
  const second = door.ask(from(2));
  assert.equal(door.hear(first), false);
  door.admission.close(first as Session);
  door.admission.close(first as Session);
  assert.equal(door.admission.size, 1);
  assert.ok(door.hear(second));
});

test('a request that comes again is known by its port and its bytes, until the client got on and was silent', () => {
  const door = new Door();
  const session = door.ask(from(1));
  const repeated = (incoming: Incoming): boolean => door.admission.repeated(incoming, door.now) === session;
  assert.ok(session && repeated(from(1)));
  assert.ok(!repeated(from(1, 2001)) && !repeated(from(2)) && !repeated(from(1, 2000, 'other')));
  session.delivery = progress(512);
  assert.ok(!repeated(from(1)));
  const other = door.ask(from(1, 2000, 'other'));
  assert.ok(other && session.cancelled !== undefined);
  assert.equal(door.admission.size, 1);
});
