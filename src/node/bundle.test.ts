import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { type Bundle, type BundleFile, filesOnly, type Hook, makeBundle, packBundle } from './bundle.ts';

const access = { mode: 0o640, owner: 'root', group: 'nova', origin: 'overlay x' };
const FILES: readonly BundleFile[] = [
  { ...access, path: '/etc/b', content: Buffer.from('b\0b') },
  { ...access, path: '/etc/a c', mode: 0o777, group: 'root', target: '../a target' },
  { ...access, path: '/etc/hosts', mode: 0o644, group: 'root', origin: 'generated', content: Buffer.alloc(0) },
  {
    ...access,
    path: '/etc/old.conf',
    replace: new Map([
      ['XXX', 'a\tb'],
      ['$Y.*', "'"],
    ]),
  },
];
const HOOKS: readonly Hook[] = [
  { run: 'systemctl reload b', watches: (path) => path !== '/etc/hosts' },
  { run: 'never', watches: () => false },
  { run: 'first line\nsecond\n\n', watches: (path) => path === '/etc/hosts' },
];

test('the same files make the same archive, and tar reads it', async () => {
  const bundle = makeBundle(FILES, HOOKS);
  const { tar, sha256 } = await packBundle(bundle);
  assert.deepEqual(await packBundle(makeBundle(FILES.toReversed(), HOOKS)), { tar, sha256 });
  assert.equal(sha256, sha(tar));
  const reload = sha('systemctl reload b\n');
  assert.equal(
    member(tar, 'manifest'),
    [
      `link\t0777\troot\troot\t${sha('../a target')}\t/etc/a c`,
      `file\t0640\troot\tnova\t${sha('b\0b')}\t/etc/b`,
      `default\t0644\troot\troot\t${sha('')}\t/etc/hosts`,
      `replace\t-\t-\t-\t${sha("XXX\ta\tb\n$Y.*\t'\n")}\t/etc/old.conf`,
      '',
    ].join('\n'),
  );
  assert.equal(
    member(tar, 'hooks'),
    `${reload}\t/etc/a c\n${reload}\t/etc/b\n${reload}\t/etc/old.conf\n${sha('first line\nsecond\n')}\t/etc/hosts\n`,
  );
  for (const sha256 of members(tar)
    .slice(2)
    .map((name) => name.slice('data/'.length))) {
    assert.equal(sha(Buffer.from(member(tar, `data/${sha256}`), 'latin1')), sha256);
  }
  assert.equal(members(tar).length, 2 + FILES.length + 2);
});

test('a bundle is named by everything that differs for a node', () => {
  const named = (files: readonly BundleFile[], hooks: readonly Hook[] = HOOKS) => makeBundle(files, hooks).sha256;
  const [first, ...rest] = FILES;
  assert.ok(first && 'content' in first);
  const bundle = makeBundle(FILES, HOOKS);
  assert.equal(bundle.sha256, sha(bundle.manifest + bundle.hooks));
  const others = [
    named(FILES),
    named(rest),
    named(FILES, []),
    named(FILES, HOOKS.toReversed()),
    named([{ ...first, content: Buffer.from('other') }, ...rest]),
    named([{ ...first, mode: 0o600 }, ...rest]),
    named([{ ...first, owner: 'nova' }, ...rest]),
    named([{ ...first, path: '/etc/c' }, ...rest]),
  ];
  assert.equal(new Set(others).size, others.length);
  assert.equal(named([{ ...first, origin: 'overlay y' }, ...rest]), others[0], 'who gives a file is no difference');
});

test('folders stand by themselves, so that agents that know none find the bundle that they know', async () => {
  const folders: readonly BundleFile[] = [
    { ...access, path: '/root/.ssh', mode: 0o700, folder: 'default' },
    { ...access, path: '/etc', mode: 0o2750, folder: 'declared' },
  ];
  const plain = makeBundle(FILES, HOOKS);
  const bundle = makeBundle([...FILES, ...folders], HOOKS);
  const { tar } = await packBundle(bundle);
  assert.equal(member(tar, 'manifest'), plain.manifest);
  const lines = 'folder\t2750\troot\tnova\t-\t/etc\ndefault-folder\t0700\troot\tnova\t-\t/root/.ssh\n';
  assert.equal(member(tar, 'folders'), lines);
  assert.equal(bundle.manifest, lines + plain.manifest);
  assert.equal(filesOnly(bundle.manifest), plain.manifest);
  assert.notEqual(bundle.sha256, plain.sha256);
  assert.deepEqual([bundle.olderSha256, plain.olderSha256], [sha(plain.manifest + bundle.hooks), plain.sha256]);
  assert.equal(bundle.blobs.has('-'), false);
  assert.ok(!members((await packBundle(plain)).tar).includes('folders'));
});

test('what a node has is not packed again; what a hook runs always is', async () => {
  const bundle = makeBundle(FILES, HOOKS);
  const data = async (applied: string, of: Bundle = bundle) => {
    const { tar } = await packBundle(of, applied);
    return members(tar).filter((name) => name.startsWith('data/'));
  };
  const scripts = [`data/${sha('systemctl reload b\n')}`, `data/${sha('first line\nsecond\n')}`];
  assert.deepEqual(await data(bundle.manifest), scripts);
  const other = bundle.manifest.replace(/^link.*\n/, '').replace('0640', '0600');
  assert.deepEqual(await data(other), [`data/${sha('../a target')}`, `data/${sha('b\0b')}`, ...scripts]);
  assert.deepEqual(await data('\n\tnonsense\n'), await data(''));
});

function sha(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function member(tar: Buffer, name: string): string {
  return execFileSync('tar', ['-xOf', '-', name], { input: tar, encoding: 'latin1' });
}

function members(tar: Buffer): string[] {
  return execFileSync('tar', ['-tf', '-'], { input: tar, encoding: 'utf8' }).trim().split('\n');
}

test('how long settings.sh may run goes along and names nothing', async () => {
  const plain = makeBundle(FILES, HOOKS);
  for (const seconds of [0, 7200]) {
    const limited = makeBundle(FILES, HOOKS, undefined, { settingsSeconds: seconds });
    assert.equal(limited.sha256, plain.sha256);
    assert.equal(member((await packBundle(limited)).tar, 'limits'), `settings=${seconds}\n`);
  }
  const names = execFileSync('tar', ['-tf', '-'], { input: (await packBundle(plain)).tar, encoding: 'utf8' });
  assert.ok(!names.includes('limits'));
});
