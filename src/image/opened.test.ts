import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { ReveilleError } from '../errors.ts';
import { parseOpened } from '../node/opened.ts';
import { mergeOpened, openedRecords, readOpened } from './opened.ts';

test('reports of several boots are merged, also those that arrive at once', async (t) => {
  const state = mkdtempSync(join(tmpdir(), 'opened-'));
  t.after(() => rmSync(state, { recursive: true, force: true }));
  assert.equal(await readOpened(state, 'one'), undefined);
  const record = openedRecords(state, () => Date.UTC(2026, 0, 2));
  await Promise.all([record('one', ['/a', '/b c']), record('one', ['/b c', '/d']), record('two', ['/e'])]);
  assert.deepEqual(await readOpened(state, 'one'), {
    reports: 2,
    since: '2026-01-02T00:00:00.000Z',
    paths: new Set(['/a', '/b c', '/d']),
  });
  assert.deepEqual(readdirSync(join(state, 'opened')).sort(), ['one', 'two']);
  await assert.rejects(record('../x', ['/a']), { code: 'REQUEST_INVALID' });
  await record('one', ['/after']);
});

test('a record does not grow without end', () => {
  const many = Array.from({ length: 300_000 }, (_, i) => `/${i}`);
  assert.equal(mergeOpened(undefined, many, 0).paths.size, 200_000);
});

test('only absolute paths of plain signs are taken from a report', async () => {
  const paths = await parseOpened(
    gzipSync(`/usr/bin/a\nrelative\n\n/with space\n/bell\u0007\n/${'x'.repeat(2000)}\n/b`),
  );
  assert.deepEqual(paths, ['/usr/bin/a', '/with space', '/b']);
});

test('a report that unpacks to too much is refused, and random bytes never throw anything of their own', async () => {
  await assert.rejects(parseOpened(gzipSync(Buffer.alloc(17 * 1024 * 1024))), { code: 'REQUEST_INVALID' });
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      await parseOpened(bytes).catch((error) => assert.ok(error instanceof ReveilleError));
    }),
  );
});
