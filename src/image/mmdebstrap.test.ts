import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recipeFixture } from '../site/testing/fixture.ts';
import { mmdebstrapArguments, RootProgress } from './mmdebstrap.ts';

const OUTPUT = `I: running apt-get update...
Get:1 http://mirror.example.org/debian bookworm InRelease [151 kB]
I: downloading packages with apt...
0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.
Get:1 http://mirror.example.org/debian bookworm/main amd64 libc6 amd64 2.36-9 [2757 kB]
Unpacking libc6:amd64 (2.36-9) ...
Setting up libc6:amd64 (2.36-9) ...
Unpacking bash (5.2) ...
Setting up bash (5.2) ...
I: installing remaining packages inside the chroot...
0 upgraded, 1 newly installed, 0 to remove and 0 not upgraded.
0 upgraded, 1 newly installed, 0 to remove and 0 not upgraded.
Unpacking udev (252) ...
Setting up udev (252) ...
reveille: run 0
some words
reveille: run 1
reveille: purge
reveille: forget
reveille: modules
reveille: modules-freed 100
reveille: modules-freed 24
I: creating tarball...`;

test('the step and the progress are read from the lines of mmdebstrap', () => {
  const progress = new RootProgress(2);
  const steps = OUTPUT.split('\n').flatMap((line) => progress.read(line) ?? []);
  assert.deepEqual(
    steps.map((step) => step.doing),
    [
      'reading package lists',
      'fetching libc6 (2757 kB)',
      'unpacking libc6:amd64',
      'setting up libc6:amd64',
      'unpacking bash',
      'setting up bash',
      'unpacking udev',
      'setting up udev',
      'run line 1 of 2',
      'run line 2 of 2',
      'removing packages',
      'leaving out kernel modules',
      'writing the root',
    ],
  );
  const fractions = steps.flatMap((step) => step.fraction ?? []);
  assert.deepEqual(
    fractions,
    fractions.toSorted((a, b) => a - b),
  );
  assert.ok((fractions.at(-1) ?? 2) <= 1);
  assert.equal(progress.modulesFreedBytes, 124 * 1024);
});

test('only the run line that is running is blamed', () => {
  const progress = new RootProgress(2);
  progress.read('reveille: run 1');
  assert.equal(progress.runLine, 1);
  progress.read('reveille: forget');
  assert.equal(progress.runLine, undefined);
});

test('settings, sources and packages reach the command line', () => {
  const words = mmdebstrapArguments(
    {
      recipe: recipeFixture({ packages: ['linux-image-amd64', 'curl'] }),
      site: '/site',
      suite: 'bookworm',
      apt: {
        sources: [{ uris: ['file:/srv/debs'], suites: ['bookworm'], components: ['main'], fields: new Map() }],
        settings: ['Acquire::http::Proxy "http://10.0.0.1:3128"'],
      },
      tar: '/w/root.tar',
      log: '/w/log',
      debs: "/c/it's/debs",
      newDebs: '/w/debs',
    },
    'unshare',
  );
  assert.deepEqual(words.slice(-3), ['bookworm', '/w/root.tar', '-']);
  assert.ok(words.includes('--mode=unshare'));
  assert.ok(words.includes('--include=linux-image-amd64,curl'));
  assert.ok(words.includes('--aptopt=Acquire::http::Proxy "http://10.0.0.1:3128"'));
  assert.ok(words.includes("--setup-hook=sync-in '/c/it'\\''s/debs' /var/cache/apt/archives"));
  assert.ok(
    words.some((word) => word.endsWith('file-mirror-automount')),
    'mirrors on this machine are mounted',
  );
});
