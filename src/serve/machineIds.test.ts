import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Site } from '../site/site.ts';
import { AwaitedIds } from './awaitedIds.ts';
import { MachineIdsAhead } from './machineIds.ts';

const nodesOf = (count: number, image: string | undefined): Site['nodes'] =>
  new Map(
    Array.from({ length: count }, (_, i) => [`node${i}`, { name: `node${i}`, image }]),
  ) as unknown as Site['nodes'];

async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 300 && !what(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(what(), `waited in vain: ${what}`);
}

test('machine-ids of all nodes with an image are sent once, some at a time', async () => {
  const sent: string[] = [];
  let [running, most] = [0, 0];
  const ahead = new MachineIdsAhead(
    {
      machineIdOf: async (node) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        return `id of ${node}`;
      },
    },
    (ids) => sent.push(...ids.map(([node]) => node)),
  );
  ahead.follow(nodesOf(200, 'compute'));
  await until(() => sent.length === 200);
  ahead.follow(nodesOf(201, 'compute'));
  await until(() => sent.length === 201);
  ahead.follow(nodesOf(300, undefined));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(new Set(sent).size, 201);
  assert.equal(sent.length, 201);
  assert.ok(most <= 64, `${most} at once`);
  ahead.close();
});

test('who asks for an id waits a little for one that is still to come', async () => {
  const ids = new AwaitedIds(100);
  ids.take([['known', '1']]);
  assert.equal(await ids.of('known'), '1');
  const asked = [ids.of('coming'), ids.of('coming'), ids.of('never')];
  ids.take([['coming', '2']]);
  assert.deepEqual(await Promise.all(asked), ['2', '2', undefined]);
  ids.forget(['known']);
  assert.equal(await ids.of('known'), undefined);
});
