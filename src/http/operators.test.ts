import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { askLines } from '../cli/api.ts';
import { ReveilleError } from '../errors.ts';
import type { Event } from '../model/event.ts';
import { emptyStore } from '../state/testing/fakes.ts';
import { EVENTS } from './contracts/events.ts';
import { createOperatorsServer, type OperatorsFrom } from './operators.ts';
import { operatorsFixture, STATUS_VALUE, SYNC_VALUE } from './testing/operatorsFixture.ts';
import { until } from './testing/serverFixture.ts';

/** The operators' server on a socket; `ask` gives status and text, or `cut` for an answer that broke off. */
async function rig(t: TestContext, changes: Partial<OperatorsFrom> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'operators-'));
  const socketPath = join(folder, 'reveille.sock');
  const faults: unknown[] = [];
  const listeners = new Set<(event: Event) => void>();
  const server = createOperatorsServer(
    operatorsFixture({
      status: async () => STATUS_VALUE,
      subscribe: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      nodesNamed: (set) => [set],
      sync: async function* () {},
      keptEvents: async () => [],
      faulted: (error) => faults.push(error),
      ...changes,
    }),
  );
  await server.listen(socketPath);
  t.after(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });
  const ask = (path: string, body?: object) =>
    new Promise<string>((resolve) => {
      const method = body === undefined ? 'GET' : 'POST';
      request({ socketPath, path, method, headers: JSON_TYPE }, (response) => {
        let text = `${response.statusCode} `;
        response.setEncoding('utf8').on('data', (piece) => {
          text += piece;
        });
        response.on('error', () => {}).on('close', () => resolve(response.complete ? text : 'cut'));
      })
        .on('error', () => resolve('cut'))
        .end(body && JSON.stringify(body));
    });
  return { ask, faults, listeners, socketPath };
}

const JSON_TYPE = { 'content-type': 'application/json' };

const boom = (): never => {
  throw new Error('boom');
};

describe('what fails behind an operator’s request', () => {
  const rows: readonly (readonly [string, Partial<OperatorsFrom>, string, object | undefined, RegExp])[] = [
    ['a status that throws', { status: boom }, '/api/v1/status', undefined, /^500 /],
    ['a diff that throws', { diff: boom }, '/api/v1/diff?node=a', undefined, /^500 /],
    ['a list of nodes that throws', { nodesNamed: boom }, '/api/v1/diff?node=a', undefined, /^500 /],
    ['events that cannot be read', { keptEvents: boom }, '/api/v1/events', undefined, /^500 /],
    [
      'a sync that throws after its first result',
      {
        sync: async function* () {
          yield SYNC_VALUE;
          boom();
        },
      },
      '/api/v1/sync',
      { nodes: 'a' },
      /^cut$/,
    ],
    [
      'an event that is no JSON',
      { keptEvents: async () => [{ id: 1, event: { at: 1n, kind: 'server.started' } as unknown as Event }] },
      '/api/v1/events',
      undefined,
      /^cut$/,
    ],
  ];
  for (const [what, changes, path, body, expected] of rows) {
    it(`${what}: costs that request alone`, async (t) => {
      const { ask, faults, listeners } = await rig(t, changes);
      assert.match(await ask(path, body), expected);
      assert.equal(faults.length, 1);
      assert.equal(listeners.size, 0);
      if (!changes.status) assert.match(await ask('/api/v1/status'), /^200 .*node01/);
    });
  }

  it('an event that cannot be written to a follower costs that event', async (t) => {
    const { ask, faults, listeners, socketPath } = await rig(t);
    let seen = '';
    const following = request({ socketPath, path: '/api/v1/events?follow=1' }, (response) => {
      response.setEncoding('utf8').on('data', (piece) => {
        seen += piece;
      });
    });
    following.on('error', () => {}).end();
    await until('the follower', () => listeners.size === 1);
    const tell = (at: unknown) => listeners.forEach((hear) => void hear({ at, kind: 'server.started' } as Event));
    await until('its answer', () => {
      tell(1);
      return seen.includes('"at":1,');
    });
    tell(2n);
    tell(3);
    await until('the next', () => seen.includes('"at":3,'));
    assert.equal(faults.length, 1);
    following.destroy();
    await until('it left', () => listeners.size === 0);
    assert.match(await ask('/api/v1/status'), /^200 /);
  });
});

describe('a reader of events who resumes', () => {
  it('gets each event that is kept once and with its id, however often it is cut off', async (t) => {
    const { events: store } = emptyStore();
    const { listeners, socketPath } = await rig(t, { keptEvents: (filter) => store.read(filter) });
    const happen = async (...times: readonly number[]) => {
      const events = times.map((at): Event => ({ at, kind: 'server.started', node: at % 2 === 0 ? 'even' : 'odd' }));
      await store.save(events);
      for (const event of events) for (const hear of listeners) hear(event);
    };
    const state = dirname(socketPath);
    /** Reads `count` events after `after`, then leaves; `then` is called once it follows. */
    const read = async (query: { after: number; node?: string }, count: number, then = async () => {}) => {
      const gone = new AbortController();
      const seen: (Event & { readonly id?: number })[] = [];
      const heard = until('the reader', () => listeners.size === 1 || seen.length === count).then(then);
      for await (const event of askLines(state, EVENTS, { query: { ...query, follow: true, limit: 3 } }, gone)) {
        seen.push(event);
        if (seen.length === count) break;
      }
      gone.abort();
      await heard;
      await until('it left', () => listeners.size === 0);
      return seen;
    };

    // The clock goes back, and some happen at once.
    await happen(9, 9, 3, 4, 5, 5, 5, 5);
    const first = await read({ after: 0 }, 5);
    assert.deepEqual(
      first.map(({ at }) => at),
      [9, 9, 3, 4, 5],
    );
    const second = await read({ after: first.at(-1)?.id ?? 0 }, 5, () => happen(6, 7));
    assert.deepEqual(
      second.map(({ at }) => at),
      [5, 5, 5, 6, 7],
    );
    await happen(8);
    const last = await read({ after: second.at(-1)?.id ?? 0, node: 'even' }, 2, () => happen(11, 13, 14));
    assert.deepEqual(
      last.map(({ at }) => at),
      [8, 14],
    );
    const ids = [...first, ...second, ...last].map(({ id }) => id ?? assert.fail('no id'));
    assert.deepEqual(
      ids,
      [...new Set(ids)].sort((a, b) => a - b),
    );
  });

  it('resumes after the last id that came live, kept or not, and has nothing twice that came while it began', async (t) => {
    const { events: store } = emptyStore();
    const at = (id: number): Event => ({ at: 1, id, kind: 'server.started' });
    const asked = Promise.withResolvers<void>();
    const slow = Promise.withResolvers<void>();
    const { listeners, socketPath } = await rig(t, {
      keptEvents: async (filter) => {
        asked.resolve();
        await slow.promise;
        return store.read(filter);
      },
    });
    const happen = async (id: number, isKept: boolean) => {
      if (isKept) await store.save([at(id)]);
      for (const hear of listeners) hear(at(id));
    };
    await happen(1000, true);
    const state = dirname(socketPath);
    const ids = async (query: { since?: number; after?: number }, count: number, meanwhile = async () => {}) => {
      const gone = new AbortController();
      const seen: (number | undefined)[] = [];
      const during = asked.promise.then(meanwhile);
      for await (const { id } of askLines(state, EVENTS, { query: { ...query, follow: true } }, gone)) {
        seen.push(id);
        if (seen.length === count) break;
      }
      gone.abort();
      await during;
      await until('it left', () => listeners.size === 0);
      return seen;
    };
    const live = await ids({ since: 0 }, 4, async () => {
      await happen(2000, true);
      await happen(3000, false);
      slow.resolve();
      await happen(4000, true);
    });
    assert.deepEqual([...live].sort(), [1000, 2000, 3000, 4000]);
    await happen(5000, true);
    assert.deepEqual(await ids({ after: 3000 }, 2), [4000, 5000]);
  });

  it('is refused where events cannot be read, and cut off where that comes later', async (t) => {
    let reads = 0;
    const { ask, faults, listeners } = await rig(t, {
      keptEvents: async () => {
        if (++reads === 2) throw new ReveilleError('STATE_UNAVAILABLE', 'the disk is gone');
        return [];
      },
    });
    reads = 1;
    assert.match(await ask('/api/v1/events?after=5'), /^503 .*the disk is gone/);
    assert.deepEqual(faults, []);
    reads = 0;
    const cut = ask('/api/v1/events?after=5&follow=1');
    await until('the reader', () => listeners.size === 1 && reads === 1);
    for (const hear of listeners) hear({ at: 1, kind: 'server.started' });
    assert.equal(await cut, 'cut');
    assert.equal(faults.length, 1);
    assert.equal(listeners.size, 0);
  });

  it('that does not read has few events in memory, and is let go when it leaves', async (t) => {
    const { events: store } = emptyStore();
    const big: Event = { at: 1, kind: 'server.trouble', code: 'SERVER_FAILED', message: 'x'.repeat(100_000) };
    for (let i = 0; i < 40; i++) await store.save(Array.from({ length: 10 }, () => big));
    let reads = 0;
    const { listeners, socketPath } = await rig(t, {
      keptEvents: (filter) => {
        reads++;
        return store.read(filter);
      },
    });
    const asking = request({ socketPath, path: '/api/v1/events?after=0&follow=1&limit=10' }, (response) => {
      response.pause();
    });
    asking.on('error', () => {}).end();
    await until('it asks', () => reads > 0);
    await delay(300);
    assert.ok(reads < 10, `${reads} reads`);
    asking.destroy();
    await until('it left', () => listeners.size === 0);
  });
});
