import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { baseRoot } from '../../src/image/base.ts';
import { BASE_HOURS, defaultCache, openCache } from '../../src/image/cache.ts';
import { indexRoot } from '../../src/image/index.ts';
import { recipeFixture } from '../../src/site/testing/fixture.ts';

// An apt archive of our own in Ubuntu's shape: its suites and components, its own key. Its packages are Debian's, those
// that builds before this test have left in the cache.
if (process.env.REVEILLE_ISOLATED === '1') throw new Error('run this outside of test/isolated: it fetches packages');

const folder = mkdtempSync(join(tmpdir(), 'ubuntu-lab-'));
after(() => rmSync(folder, { recursive: true, force: true }));
// apt reads keys and packages as a user of its own.
chmodSync(folder, 0o755);
// What a build that fails leaves lying about goes with the folder.
process.env.TMPDIR = folder;
const archive = join(folder, 'archive');

const root = (changes: Parameters<typeof recipeFixture>[0], cache = join(folder, 'cache')) =>
  openCache(cache, 'lab-ubuntu').then((files) =>
    baseRoot(recipeFixture({ name: 'lab-ubuntu', ...changes }), {
      cache: files,
      site: folder,
      rootHours: BASE_HOURS,
      now: Date.now,
      onStep: () => {},
    }),
  );

/** A key of our own; where its public half lies. */
function key(name: string): { readonly home: string; readonly keyring: string } {
  const home = join(folder, `${name}.gnupg`);
  mkdirSync(home, { mode: 0o700 });
  const gpg = (...args: readonly string[]) => execFileSync('gpg', ['--homedir', home, '--batch', '--quiet', ...args]);
  gpg('--passphrase', '', '--quick-generate-key', `${name} <${name}@example.org>`, 'rsa3072', 'sign');
  const keyring = join(folder, `${name}.gpg`);
  writeFileSync(keyring, gpg('--export'));
  return { home, keyring };
}

test('an Ubuntu suite is built from main and universe of its archive, by its key alone', async () => {
  // Fills the cache: a plain root, and one package that shall lie in universe.
  const cache = defaultCache(process.env, process.getuid?.());
  await root({ packages: ['iproute2'] }, cache);
  const debs = (await openCache(cache, 'lab-ubuntu')).debs;
  for (const component of ['main', 'universe']) {
    mkdirSync(join(archive, 'pool', component), { recursive: true });
    mkdirSync(join(archive, 'dists/jammy', component, 'binary-amd64'), { recursive: true });
  }
  for (const name of readdirSync(debs).filter((one) => /_(amd64|all)\.deb$/.test(one))) {
    linkOrCopy(join(debs, name), join(archive, 'pool', name.startsWith('iproute2_') ? 'universe' : 'main', name));
  }
  const ftparchive = (...args: readonly string[]) =>
    execFileSync('apt-ftparchive', args, { cwd: archive, maxBuffer: 1 << 28 });
  for (const component of ['main', 'universe']) {
    const packages = ftparchive('packages', `pool/${component}`);
    writeFileSync(join(archive, 'dists/jammy', component, 'binary-amd64/Packages'), packages);
  }
  const settings = { Suite: 'jammy', Codename: 'jammy', Components: 'main universe', Architectures: 'amd64' };
  const options = Object.entries(settings).flatMap(([name, value]) => [
    '-o',
    `APT::FTPArchive::Release::${name}=${value}`,
  ]);
  writeFileSync(join(archive, 'dists/jammy/Release'), ftparchive(...options, 'release', 'dists/jammy'));
  const [ours, other] = [key('ours'), key('other')];
  const [release, signed] = ['Release', 'InRelease'].map((name) => join(archive, 'dists/jammy', name));
  execFileSync('gpg', ['--homedir', ours.home, '--batch', '--quiet', '--clearsign', '-o', signed ?? '', release ?? '']);

  const from = { kind: 'ubuntu', suite: 'jammy' } as const;
  const recipe = { from, mirrors: [`file:${archive}`], packages: ['iproute2'] };
  const { tar } = await root({ ...recipe, keyring: ours.keyring });
  const { packages } = await indexRoot(tar);
  assert.ok(packages.some((one) => one.name === 'iproute2'));

  await assert.rejects(root({ ...recipe, keyring: other.keyring }), { code: 'IMAGE_BUILD_FAILED' });
  assert.ok(!readFileSync('/proc/self/mounts', 'utf8').includes(archive), 'the archive is not mounted any more');
});

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    execFileSync('cp', [from, to]);
  }
}
