import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Event } from '../../model/event.ts';
import { ip, mac, offer } from '../../model/testing/fixture.ts';
import type { EventStore, StoredEvent } from '../eventStore.ts';

const times = (events: readonly StoredEvent[]): number[] => events.map(({ event }) => event.at);
const eventsOf = (events: readonly StoredEvent[]): Event[] => events.map(({ event }) => event);

/** What every store of events must do. `open` gives a new empty one each time. */
export function eventStoreContract(
  name: string,
  open: () => Promise<{ readonly store: EventStore } & AsyncDisposable>,
): void {
  describe(`${name} keeps the contract of a store of events:`, () => {
    let opened: { readonly store: EventStore } & AsyncDisposable;
    let store: EventStore;
    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened[Symbol.asyncDispose]());

    test('at first there is nothing, and an empty list of events is nothing', async () => {
      assert.deepEqual(await store.read({ limit: 10 }), []);
      assert.deepEqual(await store.read({ limit: 10, after: 7 }), []);
      await store.save([]);
      assert.deepEqual(await store.read({ limit: 10 }), []);
    });

    test('events come back whole, oldest first, the newest where there are more than the limit', async () => {
      const step: Event = {
        kind: 'node.step',
        code: 'files',
        status: 'failed',
        output: 'é\n"',
        at: 5,
        node: 'node01',
        ip: ip(51),
      };
      await store.save([offer(1), offer(2)]);
      await store.save([step]);
      assert.deepEqual(eventsOf(await store.read({ limit: 10 })), [offer(1), offer(2), step]);
      assert.deepEqual(eventsOf(await store.read({ limit: 2 })), [offer(2), step]);
    });

    test('events are found by node, MAC and time', async () => {
      const one = { node: 'node01', mac: mac(1) };
      const two = { node: 'node02', mac: mac(2) };
      await store.save([offer(1, one), offer(2, two), offer(3, { mac: mac(3) }), offer(4, one)]);
      assert.deepEqual(times(await store.read({ nodes: ['node01'], limit: 10 })), [1, 4]);
      assert.deepEqual(times(await store.read({ nodes: ['node02', 'node01'], since: 2, limit: 10 })), [2, 4]);
      assert.deepEqual(times(await store.read({ mac: mac(3), limit: 10 })), [3]);
      assert.deepEqual(times(await store.read({ since: 2, limit: 2 })), [3, 4]);
      assert.deepEqual(times(await store.read({ nodes: ["x' or '1'='1"], limit: 10 })), []);
    });

    test('events are read up to so many bytes, the newest first', async () => {
      await store.save([offer(1), offer(2), offer(3)]);
      const bytes = JSON.stringify(offer(3)).length;
      assert.deepEqual(times(await store.read({ limit: 10, bytes: 2 * bytes })), [2, 3]);
      assert.deepEqual(times(await store.read({ limit: 1, bytes: 2 * bytes })), [3]);
      assert.deepEqual(times(await store.read({ limit: 10, bytes: bytes - 1 })), []);
      assert.deepEqual(times(await store.read({ limit: 10, bytes: 1e9 })), [1, 2, 3]);
    });

    test('events are found by their kinds, and by how those begin', async () => {
      const said = { at: 3, kind: 'server.trouble', code: 'SERVER_FAILED', message: '"kind":"dhcp.offer"' } as const;
      await store.save([offer(1), { at: 2, kind: 'server.started' }, said, offer(4, { node: 'node01' })]);
      assert.deepEqual(times(await store.read({ limit: 10, kinds: ['dhcp.offer'] })), [1, 4]);
      assert.deepEqual(times(await store.read({ limit: 10, kinds: ['server.*'] })), [2, 3]);
      assert.deepEqual(times(await store.read({ limit: 1, kinds: ['server.*', 'dhcp.offer'] })), [4]);
      assert.deepEqual(times(await store.read({ limit: 9, kinds: ['dhcp.*'], nodes: ['node01'] })), [4]);
      assert.deepEqual(times(await store.read({ limit: 9, kinds: ['server.start', 'dhcp'] })), []);
    });

    test('ids count up, an event keeps its own, and a reader who resumes after one misses none and has none twice', async () => {
      // The clock was set back between them: the order is that of saving.
      await store.save([offer(9), offer(9), offer(3, { node: 'node01' })]);
      const first = await store.read({ limit: 2, after: -1e9 });
      assert.deepEqual(times(first), [9, 9]);
      await store.save([offer(4), offer(5, { node: 'node01' })]);
      const seen = [...first];
      for (;;) {
        const next = await store.read({ limit: 2, after: seen.at(-1)?.id ?? 0 });
        if (next.length === 0) break;
        seen.push(...next);
      }
      assert.deepEqual(times(seen), [9, 9, 3, 4, 5]);
      assert.deepEqual(seen, await store.read({ limit: 10 }));
      const ids = seen.map(({ id }) => id);
      assert.deepEqual(
        ids,
        [...new Set(ids)].sort((a, b) => a - b),
      );
      const [one = 0] = ids;
      assert.deepEqual(times(await store.read({ limit: 10, after: one, nodes: ['node01'] })), [3, 5]);
      const bytes = JSON.stringify(offer(9)).length;
      assert.deepEqual(times(await store.read({ limit: 10, after: one, bytes })), [9]);
    });

    test('an event keeps the id that it has, where that is above all, and comes back without it', async () => {
      assert.equal(await store.lastId(), undefined);
      await store.save([{ ...offer(1), id: 1000 }, { ...offer(2), id: 2000 }, offer(3)]);
      await store.save([
        { ...offer(4), id: 1500 },
        { ...offer(5), id: 1.7e15 },
      ]);
      assert.equal(await store.lastId(), 1.7e15);
      const all = await store.read({ limit: 10 });
      assert.deepEqual(
        all.map(({ id }) => id),
        [1000, 2000, 2001, 2002, 1.7e15],
      );
      assert.deepEqual(eventsOf(all), [offer(1), offer(2), offer(3), offer(4), offer(5)]);
      assert.deepEqual(times(await store.read({ limit: 10, after: 2001 })), [4, 5]);
      assert.deepEqual(times(await store.read({ limit: 10, after: 1.7e15 })), []);
    });
  });
}
