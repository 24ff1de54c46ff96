import assert from 'node:assert/strict';
import { closeSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ReveilleError } from '../errors.ts';
import type { Happening } from '../model/event.ts';
import { BulkFront } from './bulkFront.ts';
import { limitsFor } from './limits.ts';
import { ask, raw, statusOf, until } from './testing/serverFixture.ts';

const MADE = '#!ipxe\nboot\n';

/** The thread over a folder with two roots of files, and what comes from it. */
async function rig(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'reveille-bulk-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const root of ['one', 'two']) {
    mkdirSync(join(folder, root));
    writeFileSync(join(folder, root, 'name'), root);
  }
  const events: Happening[] = [];
  const handed: string[] = [];
  let root = 'one';
  const front = await BulkFront.start({
    stateFolder: folder,
    tftp: () => ({ root: join(folder, root) }),
    made: async (name) => {
      if (name.endsWith('broken')) throw new ReveilleError('STATE_UNAVAILABLE', 'the state is away');
      return name === 'ipxe/me' ? { kind: 'bytes', bytes: Buffer.from(MADE), role: 'script' } : undefined;
    },
    limits: limitsFor(),
    stallMs: 5000,
    emit: (event) => events.push(event),
    faulted: (error) => assert.fail(`${error}`),
    broken: (error) => assert.fail(`${error}`),
    adopt: (fd, bytes) => {
      handed.push(Buffer.from(bytes).toString());
      closeSync(fd);
    },
  });
  t.after(() => front.close());
  const port = await front.listen({ port: 0 });
  const use = (other: string) => {
    root = other;
    front.reload();
  };
  return { front, port, events, handed, use };
}

test('a thread of its own serves files on disk, and what another thread makes', async (t) => {
  const { port, events } = await rig(t);
  const rows: readonly (readonly [path: string, status: number, end: string])[] = [
    ['/boot/files/name', 200, 'one'],
    ['/boot/ipxe/me', 200, MADE],
    ['/boot/ipxe/other', 404, '}'],
    ['/boot/ipxe/broken', 503, '}'],
    ['/boot/files/none', 404, '}'],
  ];
  for (const [path, status, end] of rows) {
    const answer = await ask(t, port, path);
    assert.equal(statusOf(answer), status, path);
    assert.ok(answer.endsWith(end), answer);
  }
  await until('the events', () => events.length === rows.length);
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['http.sent', 'http.sent', 'http.missing', 'http.failed', 'http.missing'],
  );
});

test('an edit of the site counts from then on, for files that were remembered too', async (t) => {
  const { port, use } = await rig(t);
  const served = async () => (await ask(t, port, '/boot/files/name')).slice(-3);
  await new Promise((resolve) => setTimeout(resolve, 150));
  for (let i = 0; i < 4; i++) assert.equal(await served(), 'one');
  use('two');
  for (let i = 0; i < 100 && (await served()) !== 'two'; i++);
  for (let i = 0; i < 4; i++) assert.equal(await served(), 'two');
});

test('connections for anything else come over with what was asked on them', async (t) => {
  const { port, handed } = await rig(t);
  const asked = 'GET /node/v1/wait HTTP/1.1\r\nHost: x\r\n\r\n';
  await raw(t, port, `GET /boot/files/name HTTP/1.1\r\nHost: x\r\n\r\n${asked}`, { ms: 1000 });
  assert.deepEqual(handed, [asked]);
});

test('a port that is held is refused with its code, and others can be had as well', async (t) => {
  const { front, port } = await rig(t);
  await assert.rejects(front.listen({ port }), { code: 'EADDRINUSE' });
  const also = await front.listen({ port: 0 });
  assert.equal(statusOf(await ask(t, also, '/boot/files/name')), 200);
});
