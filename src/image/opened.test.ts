import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { ReveilleError } from '../errors.ts';
import type { Entry } from './entry.ts';
import { writeFileList } from './fileList.ts';
import { openedRecords, readOpened } from './opened.ts';
import { openedPaths } from './openedList.ts';
import { mergeOpened, OPENED_LIMITS } from './openedRecord.ts';

const list = (...paths: string[]) => gzipSync(paths.join('\n'));

function stateFolder(t: { after(end: () => unknown): void }): string {
  const state = mkdtempSync(join(tmpdir(), 'opened-'));
  t.after(() => rmSync(state, { recursive: true, force: true }));
  return state;
}

test('reports of several boots are merged, also those that arrive at once', async (t) => {
  const state = stateFolder(t);
  assert.equal(await readOpened(state, 'one'), undefined);
  await using records = openedRecords(state, () => Date.UTC(2026, 0, 2));
  await Promise.all([
    records.keep('one', list('/a', '/b c')),
    records.keep('one', list('/b c', '/d')),
    records.keep('two', list('/e')),
  ]);
  assert.deepEqual(await readOpened(state, 'one'), {
    reports: 2,
    since: '2026-01-02T00:00:00.000Z',
    paths: new Set(['/a', '/b c', '/d']),
  });
  assert.deepEqual(readdirSync(join(state, 'opened')).sort(), ['one', 'two']);
  await assert.rejects(records.keep('../x', list('/a')), { code: 'REQUEST_INVALID' });
  await assert.rejects(records.keep('one', Buffer.from('no archive')), { code: 'REQUEST_INVALID' });
  await records.keep('one', list('/after'));
});

test('a record does not grow without end, by number or by bytes', () => {
  const many = Array.from({ length: 300_000 }, (_, i) => `/${i}`);
  assert.equal(mergeOpened(undefined, many, 0).paths.size, OPENED_LIMITS.paths);
  const long = Array.from({ length: 30_000 }, (_, i) => `/${'x'.repeat(1000)}${i}`);
  const { paths } = mergeOpened(undefined, long, 0);
  assert.ok([...paths].join('\n').length <= OPENED_LIMITS.bytes);
  assert.equal(mergeOpened({ reports: 1, since: '', paths }, ['/more'.repeat(300)], 0).paths.size, paths.size);
});

test('only files that the image has count, where its list is there', async (t) => {
  const state = stateFolder(t);
  const images = join(state, 'images');
  const file = (path: string) => [path, { kind: 'file', path } as Entry] as const;
  const entries = new Map([
    file('usr/bin/a'),
    file('etc/b'),
    ['usr', { kind: 'folder', path: 'usr' } as unknown as Entry],
  ]);
  const folder = join(images, 'by-hash', 'a'.repeat(64));
  mkdirSync(folder, { recursive: true });
  await writeFileList(folder, { entries, links: new Map([['usr/bin/a', ['usr/bin/also a']]]) }, [
    { entry: { kind: 'file', path: 'usr/sbin/reveille-agent' } as Entry, content: new Uint8Array() },
  ]);
  writeFileSync(join(images, 'one.json'), JSON.stringify({ sha256: 'a'.repeat(64), before: [] }));
  await using records = openedRecords(state, Date.now);
  const report = list('/usr/bin/a', '/made/up', '/usr/bin/also a', '/usr', '/etc/b', '/usr/sbin/reveille-agent');
  await Promise.all(['one', 'other'].map((image) => records.keep(image, report)));
  assert.deepEqual(
    [...((await readOpened(state, 'one'))?.paths ?? [])],
    ['/etc/b', '/usr/bin/a', '/usr/bin/also a', '/usr/sbin/reveille-agent'],
  );
  assert.equal((await readOpened(state, 'other'))?.paths.size, 6);
  writeFileSync(join(folder, 'files.gz'), 'damaged');
  await records.keep('one', list('/more'));
  assert.equal((await readOpened(state, 'one'))?.paths.size, 5);
});

test('records of all images together have a bound, and more reports than wait are turned away', async (t) => {
  const state = stateFolder(t);
  await using records = openedRecords(state, Date.now);
  await records.keep('one', list('/a'));
  writeFileSync(join(state, 'opened', 'other'), Buffer.alloc(OPENED_LIMITS.bytesOfAll));
  await assert.rejects(records.keep('one', list('/b')), { code: 'SERVER_BUSY' });
  truncateSync(join(state, 'opened', 'other'), 0);
  const all = await Promise.allSettled(Array.from({ length: 50 }, (_, i) => records.keep('one', list(`/${i}`))));
  const refused = all.filter((one) => one.status === 'rejected');
  assert.equal(refused.length, 50 - 32);
  for (const { reason } of refused) assert.equal(reason.code, 'SERVER_BUSY');
  assert.equal((await readOpened(state, 'one'))?.paths.size, 33);
});

test('a large report holds up nothing else, and leaves no memory behind', async (t) => {
  const state = stateFolder(t);
  await using records = openedRecords(state, Date.now);
  const large = gzipSync(
    Array.from({ length: 140_000 }, (_, i) => `/usr/share/${'d'.repeat(90)}/${(i * 2654435761) % 2 ** 32}`).join('\n'),
  );
  await records.keep('one', list('/warm'));
  const loop = monitorEventLoopDelay({ resolution: 5 });
  loop.enable();
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 4; i++) await records.keep('one', large);
  loop.disable();
  await records[Symbol.asyncDispose]();
  // The whole report takes a second or so of a processor.
  assert.ok(loop.max < 400e6, `the event loop stood still for ${loop.max / 1e6} ms`);
  const grown = process.memoryUsage().rss - before;
  assert.ok(grown < 400e6, `${grown} bytes more`);
  assert.ok(statSync(join(state, 'opened', 'one')).size <= OPENED_LIMITS.bytes + 100);
});

test('only absolute paths of plain signs are taken from a report', () => {
  const paths = openedPaths(
    gzipSync(`/usr/bin/a\nrelative\n\n/with space\n/bell\u0007\n/${'x'.repeat(2000)}\n/${'x'.repeat(9000)}\n/b`),
  );
  assert.deepEqual([...paths], ['/usr/bin/a', '/with space', '/b']);
});

test('a report that unpacks to too much is refused, and random bytes never throw anything of their own', () => {
  assert.throws(() => [...openedPaths(gzipSync(Buffer.alloc(17 * 1024 * 1024)))], { code: 'REQUEST_INVALID' });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        for (const path of openedPaths(bytes)) assert.ok(path.startsWith('/'));
      } catch (error) {
        assert.ok(error instanceof ReveilleError);
      }
    }),
  );
});
