import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Event } from '../model/event.ts';
import { BootLog } from './bootLog.ts';
import { emptyStore } from './testing/fakes.ts';

const booted = (node: string, at: number): readonly Event[] => [
  { kind: 'dhcp.discover', stage: 'ipxe', node, at },
  { kind: 'node.step', code: 'ready', status: 'done', node, at: at + 1 },
];

test('boots outlive their events, also those of many nodes, and a disk that was full', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const store = emptyStore();
  const save = store.boots.save.bind(store.boots);
  const log = await BootLog.open(store);
  for (let i = 0; i < 250; i++) for (const event of booted(`node${i}`, i)) log.timeline.see(event);
  store.boots.save = async () => {
    throw new Error('the disk is full');
  };
  t.mock.timers.tick(60_000);
  await log.close();
  assert.equal((await store.boots.read()).size, 0);
  store.boots.save = save;
  await log.close();
  const later = await BootLog.open(store);
  for (let i = 0; i < 250; i++) assert.equal(later.timeline.boots(`node${i}`)[0]?.state, 'ready', `node${i}`);
});
