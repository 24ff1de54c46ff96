/**
 * How long an image takes to build and how large its initrd is, beside mmdebstrap with cpio and zstd from the same
 * mirrors and with the same packages at hand. It fetches packages, so it runs outside of the test namespaces:
 *   node_modules/.bin/node bench/image.ts
 */
import { execFile } from 'node:child_process';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildImage } from '../src/image/build.ts';
import { quote } from '../src/image/hooks.ts';
import { openShelf } from '../src/image/shelf.ts';
import { formatSources, machineSettings, machineSources } from '../src/image/sources.ts';
import type { Recipe } from '../src/model/recipe.ts';
import { agentFiles } from '../src/node/agent/files.ts';
import { recipeFixture } from '../src/site/testing/fixture.ts';
import { report } from './report.ts';
import { withFolder } from './wire.ts';

const SUITE = 'bookworm';
const PACKAGES = ['linux-image-amd64', 'systemd-sysv', 'udev', 'kmod', 'iproute2', 'curl', 'openssh-server'];

const recipe = recipeFixture({
  name: 'bench',
  from: { kind: 'debian', suite: SUITE },
  packages: PACKAGES,
  compress: 'zstd',
});

await withFolder(async (folder) => {
  const cache = join(folder, 'cache');
  const build = async (what: string, fresh: boolean, change: Partial<Recipe> = {}) => {
    const start = performance.now();
    const built = await buildImage(
      { ...recipe, ...change },
      {
        shelf: openShelf(join(folder, 'images')),
        cache,
        site: folder,
        agent: agentFiles(),
        check: true,
        fresh,
        now: Date.now,
        onProgress: () => {},
      },
    );
    if (built.unchanged) throw new Error(`${what}: nothing was built`);
    const { image, took } = built;
    const seconds = (performance.now() - start) / 1000;
    console.error(
      `${what}: ${seconds.toFixed(1)} s (root ${took.root} ms, index ${took.index} ms, pack ${took.pack} ms)`,
    );
    return { seconds, megabytes: image.initrd.size / 1e6 };
  };

  await build('reveille, packages from the mirror', true);
  const fresh = await build('reveille, packages at hand', true);
  const again = await build('reveille, the root at hand', false, { removePaths: ['/usr/share/zoneinfo'] });
  const whole = await build('reveille, nothing left out', true, { slim: false });
  const peer = await mmdebstrapWithCpio(folder, join(cache, 'debs'));
  console.error(`mmdebstrap, cpio, zstd -3: ${peer.seconds.toFixed(1)} s`);

  const beside = { peer: 'mmdebstrap | cpio | zstd -3', better: 'less' } as const;
  report([
    { ...beside, what: 'first build', unit: 's', ours: fresh.seconds, theirs: peer.seconds },
    { ...beside, what: 'build after a change of `remove`', unit: 's', ours: again.seconds, theirs: peer.seconds },
    { ...beside, what: 'initrd', unit: 'MB', ours: fresh.megabytes, theirs: peer.megabytes },
    { ...beside, what: 'initrd with slim: false', unit: 'MB', ours: whole.megabytes, theirs: peer.megabytes },
  ]);
});

/** The same packages by hand: a root in a folder, archived by cpio and compressed by zstd. */
async function mmdebstrapWithCpio(folder: string, debs: string): Promise<{ seconds: number; megabytes: number }> {
  const root = join(folder, 'root');
  await mkdir(root);
  const archives = '/var/cache/apt/archives';
  const options = [
    '--variant=apt',
    '--skip=essential/unlink',
    ...(await machineSettings()).map((setting) => `--aptopt=${setting}`),
    '--aptopt=APT::Install-Recommends "false"',
    `--include=${PACKAGES.join(',')}`,
    `--setup-hook=mkdir -p "$1${archives}"`,
    `--setup-hook=sync-in ${quote(debs)} ${archives}`,
  ];
  const script = `set -e
    printf %s ${quote(formatSources(await machineSources(SUITE)))} | mmdebstrap ${options.map(quote).join(' ')} ${SUITE} - - |
      tar --extract --directory ${quote(root)}
    cd ${quote(root)}
    find . -mindepth 1 | cpio --quiet -o -H newc | zstd -q -3 -T0 -o ${quote(join(folder, 'peer.zst'))}`;
  const start = performance.now();
  await promisify(execFile)('bash', ['-o', 'pipefail', '-c', script], { maxBuffer: 1 << 26 });
  const seconds = (performance.now() - start) / 1000;
  return { seconds, megabytes: (await stat(join(folder, 'peer.zst'))).size / 1e6 };
}
