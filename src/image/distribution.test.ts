import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { suiteSources } from './distribution.ts';
import { formatSources } from './sources.ts';

/** A machine's /etc with these files. */
function machine(t: TestContext, files: { readonly [path: string]: string }, architecture = 'x64') {
  const etc = mkdtempSync(join(tmpdir(), 'etc-'));
  t.after(() => rmSync(etc, { recursive: true, force: true }));
  mkdirSync(join(etc, 'apt/sources.list.d'), { recursive: true });
  for (const [path, text] of Object.entries(files)) writeFileSync(join(etc, path), text);
  return { etc, architecture };
}

const DEBIAN = {
  'os-release': 'ID=debian\nVERSION_CODENAME=bookworm\n',
  'apt/sources.list.d/debian.sources':
    'Types: deb\nURIs: http://mirror.example.org/debian\nSuites: bookworm bookworm-updates\nComponents: main\n',
};
const UBUNTU = {
  'os-release': 'ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME="noble"\n',
  'apt/sources.list.d/ubuntu.sources': `Types: deb
URIs: http://mirror.example.org/ubuntu
Suites: noble noble-security noble-backports
Components: main restricted universe multiverse
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg

Types: deb
URIs: http://other.example.org/debian
Suites: noble
Components: main
Signed-By: /usr/share/keyrings/other.gpg
`,
};

test('Ubuntu comes from its public archive on a machine that runs something else', async (t) => {
  const sources = await suiteSources('ubuntu', 'jammy', { keyring: '/site/ubuntu.gpg' }, machine(t, DEBIAN));
  assert.equal(
    formatSources(sources),
    `Types: deb
URIs: http://archive.ubuntu.com/ubuntu
Suites: jammy jammy-updates
Components: main universe
Signed-By: /site/ubuntu.gpg

Types: deb
URIs: http://security.ubuntu.com/ubuntu
Suites: jammy-security
Components: main universe
Signed-By: /site/ubuntu.gpg
`,
  );
});

test('other architectures of Ubuntu have their own archive', async (t) => {
  const sources = await suiteSources('ubuntu', 'jammy', { keyring: '/k' }, machine(t, DEBIAN, 'arm64'));
  assert.deepEqual(
    sources.map((source) => [...source.uris, ...source.suites]),
    [['http://ports.ubuntu.com/ubuntu-ports', 'jammy', 'jammy-updates', 'jammy-security']],
  );
});

test("a machine that runs the distribution lends its own sources, others' stay behind", async (t) => {
  const sources = await suiteSources('ubuntu', 'jammy', {}, machine(t, UBUNTU));
  assert.deepEqual(
    sources.map((source) => [...source.uris, ...source.suites, source.fields.get('Signed-By')]),
    [['http://mirror.example.org/ubuntu', 'jammy', 'jammy-security', '/usr/share/keyrings/ubuntu-archive-keyring.gpg']],
  );
});

test("Debian is taken from the machine's own sources; a machine without them must name a mirror", async (t) => {
  const own = await suiteSources('debian', 'sid', {}, machine(t, DEBIAN));
  assert.deepEqual(
    own.map((source) => [...source.uris, ...source.suites]),
    [['http://mirror.example.org/debian', 'sid']],
  );
  await assert.rejects(suiteSources('debian', 'trixie', {}, machine(t, UBUNTU)), {
    code: 'IMAGE_BUILD_FAILED',
    message: 'this machine has no apt sources of Debian',
    hint: /mirrors: \[/,
  });
});

test("a recipe's mirrors go before everything; their keys are the recipe's, unless a line says its own", async (t) => {
  const mirrors = [
    'http://mirror.example.org/ubuntu',
    'deb [signed-by=/k2] http://m/ubuntu jammy-updates main',
    'deb [trusted=yes] file:/srv/debs ./',
  ];
  const sources = await suiteSources('ubuntu', 'jammy', { mirrors, keyring: '/k1' }, machine(t, UBUNTU));
  assert.deepEqual(
    sources.map((source) => [...source.uris, ...source.suites, ...source.components, source.fields.get('Signed-By')]),
    [
      ['http://mirror.example.org/ubuntu', 'jammy', 'main', 'universe', '/k1'],
      ['http://m/ubuntu', 'jammy-updates', 'main', '/k2'],
      ['file:/srv/debs', './', undefined],
    ],
  );
});
