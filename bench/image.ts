/**
 * The image of a compute node's recipe: how long it takes to build and how large its initrd is, beside mmdebstrap piped to cpio and zstd with the same packages from the same cache at the
 * same level. It fetches packages, so it runs outside of the test namespaces.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { quote } from '../src/image/hooks.ts';
import { formatSources, machineSettings, machineSources } from '../src/image/sources.ts';
import { cacheFolder } from './load.ts';
import { hand, note, type Result } from './result.ts';
import { spread } from './rounds.ts';
import { REVEILLE, scratchFolder } from './servers.ts';

const ROUNDS = 1;
const SUITE = 'bookworm';
const PACKAGES = [
  'linux-image-amd64',
  'systemd-sysv',
  'systemd-resolved',
  'udev',
  'kmod',
  'iproute2',
  'curl',
  'openssh-server',
  'chrony',
  'nova-compute-kvm',
  'neutron-openvswitch-agent',
];
/** As the program compresses. */
const LEVEL = 9;

const run = promisify(execFile);
using folder = scratchFolder();
const cache = join(cacheFolder(), 'bench/image');
const state = join(folder.path, 'state');
const site = join(folder.path, 'site');
mkdirSync(join(site, 'images'), { recursive: true });
mkdirSync(cache, { recursive: true });
writeFileSync(join(site, 'site.yaml'), 'networks: { rack: { subnet: 10.0.0.0/24, server: 10.0.0.2 } }\n');
writeFileSync(
  join(site, 'images/bench.yaml'),
  `from: { debian: ${SUITE} }\npackages: [${PACKAGES.join(', ')}]\ncompress: zstd\nslim: false\n`,
);

// Fetches the packages for both; they stay for the next run.
if (!existsSync(join(cache, 'debs'))) await build();
const [ours, theirs]: [Figure[], Figure[]] = [[], []];
for (let round = 0; round < ROUNDS; round++) {
  ours.push(await build());
  theirs.push(await byHand());
}
const name = `mmdebstrap | cpio | zstd -${LEVEL} -T2`;
const against = (of: (figure: Figure) => number, reach: number): Result['against'] => ({
  kind: 'peer',
  name,
  figure: spread(theirs.map(of)),
  reach,
});
const seconds = (figure: Figure) => figure.seconds;
const megabytes = (figure: Figure) => figure.megabytes;
hand({
  row: 'image',
  what: 'image build, packages at hand',
  unit: 's',
  better: 'less',
  ours: spread(ours.map(seconds)),
  against: against(seconds, 1 / 1.05),
});
hand({
  row: 'image-size',
  what: 'its initrd, nothing left out (`slim: false`)',
  unit: 'MB',
  better: 'less',
  ours: spread(ours.map(megabytes)),
  against: against(megabytes, 1),
});

type Figure = { readonly seconds: number; readonly megabytes: number };

async function build(): Promise<Figure> {
  const began = performance.now();
  await run(
    REVEILLE,
    ['image', 'build', 'bench', '--fresh', '--no-check', '--site', site, '--state', state, '--cache', cache],
    {
      maxBuffer: 1 << 26,
    },
  );
  const figure = { seconds: (performance.now() - began) / 1000, megabytes: initrdBytes() / 1e6 };
  note(`reveille: ${figure.seconds.toFixed(1)} s, ${figure.megabytes.toFixed(0)} MB`);
  return figure;
}

/** Of the image that the name stands for now. */
function initrdBytes(): number {
  const { sha256 } = JSON.parse(readFileSync(join(state, 'images/bench.json'), 'utf8')) as { sha256: string };
  return statSync(join(state, 'images/by-hash', sha256, 'initrd')).size;
}

/** The same packages by hand: a root in a folder, archived by cpio and compressed by zstd, without its kernel, as ours. */
async function byHand(): Promise<Figure> {
  const root = join(folder.path, 'root');
  const out = join(folder.path, 'peer.zst');
  const debs = join(cache, 'debs');
  if (!existsSync(debs)) throw new Error('the build left no packages in its cache');
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
  const sources = formatSources(await machineSources(SUITE));
  const script = `set -eo pipefail
    mkdir ${quote(root)}
    printf %s ${quote(sources)} | mmdebstrap ${options.map(quote).join(' ')} ${SUITE} - - | tar --extract --directory ${quote(root)}
    cd ${quote(root)}
    find . -mindepth 1 -path ./boot -prune -o -print | cpio --quiet -o -H newc | zstd -q -${LEVEL} -T2 -o ${quote(out)}`;
  const began = performance.now();
  await run('bash', ['-c', script], { maxBuffer: 1 << 26 });
  const figure = { seconds: (performance.now() - began) / 1000, megabytes: statSync(out).size / 1e6 };
  note(`by hand: ${figure.seconds.toFixed(1)} s, ${figure.megabytes.toFixed(0)} MB`);
  rmSync(root, { recursive: true });
  rmSync(out);
  return figure;
}
