import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Event } from '../model/event.ts';
import { ip, mac } from '../site/testing/fixture.ts';
import { imagesInUse } from './inUse.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const sent = (at: number, image: string | undefined, who: Partial<Event>): Event =>
  ({ at, kind: 'http.sent', file: 'x', role: image ? 'initrd' : 'loader', image, bytes: 1, ms: 1, ...who }) as Event;

for (const { name, events, used } of [
  { name: 'nothing was sent', events: [], used: [] },
  {
    name: 'the last image of a node counts, whatever the order of the events',
    events: [sent(2, B, { node: 'node01' }), sent(1, A, { node: 'node01' })],
    used: [B],
  },
  {
    name: 'machines are distinguished by what is known of them',
    events: [sent(1, A, { mac: mac('52:54:00:00:00:51') }), sent(2, B, { ip: ip('10.0.0.9') })],
    used: [A, B],
  },
  {
    name: 'a transfer that broke off was on its way too',
    events: [{ ...sent(1, A, { node: 'n' }), kind: 'http.failed', reason: 'reset' } as Event],
    used: [A],
  },
  { name: 'other files are none', events: [sent(1, undefined, { node: 'n' })], used: [] },
]) {
  test(`images in use: ${name}`, () => assert.deepEqual([...imagesInUse(events)].sort(), used));
}
