import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { takeLock } from '../../lock.ts';
import type { Recipe } from '../../model/recipe.ts';
import { baseKey } from '../cache.ts';
import { suiteSources } from '../distribution.ts';
import { type Entry, plainDirectory } from '../entry.ts';
import { indexRoot, type RootIndex } from '../index.ts';
import { chooseCompression, findKernel } from '../kernel.ts';
import type { Laid } from '../layin.ts';
import { ROOT_EPOCH, type RootStep, rootMode, runMmdebstrap } from '../mmdebstrap.ts';
import { packImage, writeInitrd } from '../pack.ts';
import { formatSources, machineRelease, machineSettings } from '../sources.ts';

/** Kernel and initrd of the guest that reads disks. */
export type DiskReader = { readonly kernel: string; readonly initrd: string };

const PACKAGES = ['linux-image-cloud-amd64', 'busybox-static', 'kmod', 'lvm2', 'tar', 'util-linux'];
/** A guest that reads what others wrote has a kernel of the last month. */
const KEPT_MS = 30 * 86_400_000;
const INIT = join(import.meta.dirname, 'init');

/**
 * The guest that reads disks, from the cache, or made from a few Debian packages: a kernel with its file systems, busybox
 * and lvm. `folder` is its place in the cache.
 */
export async function diskReader(
  recipe: Recipe,
  folder: string,
  now: () => number,
  onStep: (step: RootStep) => void,
): Promise<DiskReader> {
  await mkdir(folder, { recursive: true });
  const lock = await takeLock(join(folder, 'lock'), () => onStep({ doing: 'waiting for another build' }));
  try {
    const release = await machineRelease();
    const suite = release.id === 'debian' && release.suite !== undefined ? release.suite : 'bookworm';
    const sources = formatSources(await suiteSources('debian', suite, {}));
    const init = await readFile(INIT);
    const key = baseKey({ suite, sources, packages: PACKAGES, init: init.toString(), kept: KEPT.map(String) });
    const reader = { kernel: join(folder, 'vmlinuz'), initrd: join(folder, 'initrd') };
    const record = join(folder, 'key');
    const age = now() - ((await stat(record).catch(() => undefined))?.mtimeMs ?? 0);
    if (age < KEPT_MS && (await readFile(record, 'utf8').catch(() => '')) === key) return reader;

    const work = join(folder, 'work');
    await rm(work, { recursive: true, force: true });
    await mkdir(work);
    const root = join(work, 'root.tar');
    const args = await readerArguments(suite, root, await machineSettings());
    const title = 'making the guest that reads disks';
    await runMmdebstrap({ recipe, site: '/', tar: root, log: join(folder, 'log'), args, sources }, ({ doing }) =>
      onStep({ doing: `${title}: ${doing}` }),
    );
    const index = await indexRoot(root);
    const kernel = findKernel(index);
    const to = { kernel: join(work, 'vmlinuz'), initrd: join(work, 'initrd') };
    const compression = chooseCompression(kernel, 'initrd', 'auto');
    await packImage(
      {
        root,
        index,
        kernel: kernel.path,
        laid: laid(init, index),
        dropped,
        kernelTo: to.kernel,
        writeRoot: (members) => writeInitrd(to.initrd, members, compression),
        mtime: ROOT_EPOCH,
      },
      () => {},
    );
    await rm(record, { force: true });
    await rename(to.kernel, reader.kernel);
    await rename(to.initrd, reader.initrd);
    await writeFile(record, key, { flush: true });
    await rm(work, { recursive: true, force: true });
    return reader;
  } finally {
    lock.release();
  }
}

/** mmdebstrap's command line: packages are unpacked and nothing of them is run but depmod. */
async function readerArguments(suite: string, tar: string, settings: readonly string[]): Promise<readonly string[]> {
  return [
    `--mode=${await rootMode()}`,
    '--variant=extract',
    '--format=tar',
    '--verbose',
    ...settings.map((setting) => `--aptopt=${setting}`),
    '--aptopt=APT::Install-Recommends "false"',
    `--include=${PACKAGES.join(',')}`,
    '--extract-hook=for version in $(ls "$1/lib/modules"); do chroot "$1" /sbin/depmod "$version"; done',
    suite,
    tar,
    '-',
  ];
}

/** What of the unpacked packages goes into the guest. */
const KEPT = [
  /^(usr\/)?s?bin\/(busybox|tar|blkid|lvm)$/,
  /^(usr\/)?lib\/x86_64-linux-gnu\/[^/]+$/,
  /^(usr\/)?lib64(\/|$)/,
  /^(usr\/)?lib\/modules\/[^/]+\/modules\./,
  /^(usr\/)?lib\/modules\/[^/]+\/kernel\/(drivers\/(md|virtio)|fs\/(xfs|btrfs)|crypto|lib|arch\/x86\/crypto)\//,
  /^(usr\/)?lib\/modules\/[^/]+\/kernel\/drivers\/(block\/virtio_blk|char\/virtio_console)\./,
];

function dropped(path: string, isDirectory: boolean): string | undefined {
  return isDirectory || !KEPT.some((kept) => kept.test(path)) ? 'the guest has no use for it' : undefined;
}

function laid(init: Uint8Array, index: Pick<RootIndex, 'entries'>): readonly Laid[] {
  const entry = (path: string, more: Partial<Entry>): Entry => ({ ...plainDirectory(path, ROOT_EPOCH), ...more });
  const link = (path: string, target: string): Laid => ({
    entry: entry(path, { kind: 'symlink', mode: 0o777, target }),
    content: new Uint8Array(0),
  });
  const paths = [...index.entries.keys()];
  // From trixie on, packages have everything below /usr, and the links to there are base-files' own.
  const moved = ['bin', 'sbin', 'lib', 'lib64'].filter((name) => !paths.some((path) => path.startsWith(`${name}/`)));
  return [
    ...moved.map((name) => link(name, `usr/${name}`)),
    link(moved.includes('bin') ? 'usr/bin/sh' : 'bin/sh', 'busybox'),
    { entry: entry('init', { kind: 'file', size: init.length }), content: init },
    // The kernel opens it before /dev is mounted.
    {
      entry: entry('dev/console', { kind: 'character', mode: 0o600, device: { major: 5, minor: 1 } }),
      content: new Uint8Array(0),
    },
  ];
}
