import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { type BundleFile, makeBundle } from './bundle.ts';
import { Contents } from './contents.ts';
import { diffNode } from './diff.ts';
import type { Applied } from './news.ts';
import { NO_SECRETS } from './secretMask.ts';
import { filesStatusOf } from './standing.ts';

const scratch = mkdtempSync(join(tmpdir(), 'reveille-diff-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

const KEY = ['-----BEGIN OPENSSH PRIVATE KEY-----', 'c2VjcmV0', '-----END OPENSSH PRIVATE KEY-----', ''].join('\n');
const access = { mode: 0o644, owner: 'root', group: 'root', origin: 'overlay x' };
const file = (path: string, text: string, more: Partial<BundleFile> = {}) =>
  ({ ...access, path, content: Buffer.from(text), ...more }) as BundleFile;
const appliedOf = (files: readonly BundleFile[], more: Partial<Applied> = {}): Applied => {
  const { sha256, manifest } = makeBundle(files, []);
  return { sha256, manifest, drifted: 0, drift: [], ...more };
};

test('added, changed, removed and drifted files, with texts where they are known and without private keys', async () => {
  const before = [file('/a', 'a\n'), file('/key', KEY), file('/gone', 'g'), file('/mode', 'm'), file('/same', 's')];
  const hooks = [
    { run: 'reload a\nreally', watches: (path: string) => path === '/a' },
    { run: 'never', watches: (path: string) => path === '/same' },
  ];
  const next = makeBundle(
    [
      file('/a', 'b\n'),
      file('/key', KEY.replace('c2V', 'bmV')),
      file('/mode', 'm', { mode: 0o600 }),
      file('/same', 's'),
      file('/new', 'n\0'),
      { ...access, path: '/link', target: '/there' },
    ],
    hooks,
  );
  const drift = [
    { path: '/a', what: 'content' },
    { path: '/same', what: 'access', access: { mode: '600', owner: 0, group: 0 } },
  ] as const;
  const texts = new Map(makeBundle(before, []).blobs);
  const text = async (sha256: string) => {
    const found = texts.get(sha256);
    return found && Buffer.from(found).toString();
  };
  const diff = await diffNode(appliedOf(before, { drifted: 2, drift }), next, text);
  assert.deepEqual(
    diff.changes.map(({ path, change, before, after, contentDiffers, drift }) => [
      `${change} ${path}`,
      before?.text,
      after?.text,
      contentDiffers,
      drift?.what,
    ]),
    [
      ['changed /a', 'a\n', 'b\n', true, 'content'],
      ['removed /gone', 'g', undefined, true, undefined],
      ['changed /key', '(kept private)\n', '(kept private)\n', true, undefined],
      ['added /link', undefined, '/there', true, undefined],
      ['changed /mode', 'm', 'm', false, undefined],
      ['added /new', undefined, null, true, undefined],
      ['drifted /same', 's', 's', false, 'access'],
    ],
  );
  assert.deepEqual(diff.hooks, ['reload a']);
  const unknown = await diffNode(appliedOf(before), next, async () => undefined);
  assert.equal(unknown.changes[0]?.before?.text, null);
});

test('nothing changes where nothing differs, whatever the files are', async () => {
  const files = fc.uniqueArray(fc.tuple(fc.stringMatching(/^\/[a-z]{1,4}$/), fc.string(), fc.boolean()), {
    selector: ([path]) => path,
  });
  await fc.assert(
    fc.asyncProperty(files, async (list) => {
      const all = list.map(([path, text, link]) => (link ? { ...access, path, target: text } : file(path, text)));
      const diff = await diffNode(appliedOf(all), makeBundle(all.toReversed(), []), async () => undefined);
      assert.deepEqual(diff, { changes: [], hooks: [] });
    }),
  );
});

test('private keys are left out wherever they stand', () => {
  const pem = KEY.replaceAll('OPENSSH ', '');
  assert.equal(NO_SECRETS.mask(`a\n${KEY}b ${pem}`), 'a\n(kept private)\nb (kept private)\n');
  assert.equal(NO_SECRETS.mask('-----BEGIN RSA PRIVATE KEY-----\ncut off'), '(kept private)');
  assert.equal(NO_SECRETS.mask('-----BEGIN CERTIFICATE-----'), '-----BEGIN CERTIFICATE-----');
});

test('how files stand', () => {
  const report = { ...appliedOf([]), at: 1 };
  const drift = [{ path: '/a', what: 'missing' }] as const;
  const rows = [
    [report, report.sha256, 'in sync'],
    [report, undefined, 'unknown'],
    [report, 'other', 'behind'],
    [{ ...report, drifted: 1, drift }, report.sha256, 'drift'],
    [{ ...report, drifted: 1, drift }, undefined, 'drift'],
    [{ ...report, drifted: 1, drift }, 'other', 'behind'],
    [{ ...report, failed: 'hook: x' }, report.sha256, 'failed'],
  ] as const;
  for (const [applied, current, state] of rows) assert.equal(filesStatusOf(applied, current).state, state);
});

test('texts are kept for their owner alone, keys and binaries are not, and what no node has is forgotten', async () => {
  const folder = join(scratch, 'bundles');
  const troubles: unknown[] = [];
  const contents = new Contents(folder, (error) => troubles.push(error));
  const bundle = makeBundle(
    [file('/a', 'text é'), file('/key', KEY), file('/bin', 'a\0b'), file('/big', 'x'.repeat(300_000))],
    [],
  );
  contents.keep(bundle);
  contents.keep(bundle);
  await contents.settled();
  assert.deepEqual(troubles, []);
  const [name = '', ...others] = readdirSync(folder);
  assert.deepEqual(others, []);
  assert.equal(await contents.text(name), 'text é');
  assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(await contents.text('../../../etc/passwd'), undefined);

  await contents.forgetAllBut(new Set());
  assert.equal(readdirSync(folder).length, 1, 'what is new stays a while');
  utimesSync(join(folder, name), 1, 1);
  await contents.forgetAllBut(new Set([name]));
  assert.equal(readdirSync(folder).length, 1);
  await contents.forgetAllBut(new Set());
  assert.deepEqual(readdirSync(folder), []);
  contents.keep(bundle);
  await contents.settled();
  assert.equal(readdirSync(folder).length, 1, 'what was forgotten can be kept again');
});

test('a folder that cannot be written is reported and does no harm', async () => {
  const troubles: unknown[] = [];
  const contents = new Contents('/proc/nowhere', (error) => troubles.push(error));
  contents.keep(makeBundle([file('/a', 'a')], []));
  await contents.settled();
  assert.equal(troubles.length, 1);
});
