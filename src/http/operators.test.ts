import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { Event } from '../model/event.ts';
import { createOperatorsServer, type OperatorsFrom } from './operators.ts';
import { operatorsFixture, STATUS_VALUE, SYNC_VALUE } from './operatorsFixture.ts';
import { until } from './serverFixture.ts';

/** The operators' server on a socket; `ask` gives status and text, or `cut` for an answer that broke off. */
async function rig(t: TestContext, changes: Partial<OperatorsFrom> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'operators-'));
  const socketPath = join(folder, 'sock');
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
      recentEvents: async () => [],
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
    ['events that cannot be read', { recentEvents: boom }, '/api/v1/events', undefined, /^500 /],
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
      { recentEvents: async () => [{ at: 1n, kind: 'server.started' } as unknown as Event] },
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
