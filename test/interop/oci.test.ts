import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import tar from 'tar-stream';
import { spoolOci } from '../../src/image/oci/spool.ts';
import { readRootTar } from '../../src/image/roottar.ts';

// Container images made by umoci and skopeo, and what umoci itself unpacks from them.

const folder = mkdtempSync(join(tmpdir(), 'oci-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const isRoot = /^\s*0\s+0\s+4294967295/.test(readFileSync('/proc/self/uid_map', 'utf8'));

type Part = Partial<Omit<tar.Header, 'linkname' | 'pax'>> & {
  readonly name: string;
  readonly linkname?: string;
  readonly text?: string;
  readonly pax?: object;
};

async function layerFile(name: string, parts: readonly Part[]): Promise<string> {
  const pack = tar.pack();
  for (const { text, ...header } of parts) {
    pack.entry({ mtime: new Date(1_600_000_000_000), uid: 0, gid: 0, ...header }, text ?? '');
  }
  pack.finalize();
  const path = join(folder, name);
  writeFileSync(path, Buffer.concat(await Array.fromAsync(pack as unknown as AsyncIterable<Uint8Array>)));
  return path;
}

const run = (program: string, ...args: readonly string[]) =>
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });

/** Capability cap_net_raw+ep as the kernel stores it (version 2). */
const PING = Buffer.from('0100000200200000000000000000000000000000', 'hex').toString('latin1');

const LAYERS: readonly (readonly Part[])[] = [
  [
    { name: 'bin', type: 'symlink', linkname: 'usr/bin' },
    { name: 'etc/', type: 'directory', mode: 0o755 },
    { name: 'etc/motd', text: 'lower\n' },
    { name: 'etc/shadow', text: 'secret\n', mode: 0o640, gid: 42 },
    { name: 'opt/', type: 'directory', mode: 0o700, uid: 1000, gid: 1000 },
    { name: 'opt/a', text: 'a' },
    { name: 'opt/deep/', type: 'directory' },
    { name: 'opt/deep/b', text: 'b' },
    { name: 'srv/', type: 'directory' },
    { name: 'srv/old', text: 'old' },
    { name: 'srv/older/', type: 'directory' },
    { name: 'srv/older/x', text: 'x' },
    { name: 'usr/', type: 'directory' },
    { name: 'usr/bin/', type: 'directory' },
    { name: 'usr/bin/perl', text: 'perl', mode: 0o755 },
    { name: 'usr/bin/perl5', type: 'link', linkname: 'usr/bin/perl' },
    { name: 'usr/bin/ping', text: 'ping', mode: 0o755, pax: { 'SCHILY.xattr.security.capability': PING } },
    { name: 'usr/bin/su', text: 'su', mode: 0o4755 },
    { name: 'var/', type: 'directory' },
    { name: 'var/tmp/', type: 'directory', mode: 0o1777 },
    { name: 'will-be-a-folder', text: 'file' },
    { name: 'will-be-a-file/', type: 'directory' },
    { name: 'will-be-a-file/x', text: 'x' },
  ],
  [
    // Through the symlink of the layer below.
    { name: 'bin/vi', text: 'vi', mode: 0o755 },
    { name: 'etc/motd', text: 'middle\n' },
    { name: 'etc/', type: 'directory', mode: 0o750 },
    // Takes everything of lower layers away, wherever it stands among its siblings.
    { name: 'srv/', type: 'directory', mode: 0o711 },
    { name: 'srv/.wh..wh..opq', text: '' },
    { name: 'srv/new', text: 'new' },
    { name: 'opt/deep/.wh.b', text: '' },
    { name: 'usr/bin/.wh.perl', text: '' },
    { name: 'usr/share/doc/made', text: 'parents were not told' },
    { name: 'will-be-a-folder/', type: 'directory' },
    { name: 'will-be-a-folder/y', text: 'y' },
    { name: 'will-be-a-file', text: 'file' },
  ],
  [
    // A hard link to a file of a lower layer.
    { name: 'usr/bin/vim', type: 'link', linkname: 'usr/bin/vi' },
    { name: 'opt/.wh.deep', text: '' },
    { name: 'etc/host\u00e9', text: 'utf-8' },
    { name: `${'a-long-name-of-a-folder/'.repeat(6)}name`, text: 'long' },
  ],
];

const layout = join(folder, 'layout');

test('a layout of umoci becomes what umoci unpacks, file by file', async () => {
  run('umoci', 'init', '--layout', layout);
  run('umoci', 'new', '--image', `${layout}:one`);
  run('umoci', 'config', '--image', `${layout}:one`, '--architecture', 'amd64', '--os', 'linux');
  for (const [at, parts] of LAYERS.entries()) {
    run('umoci', 'raw', 'add-layer', '--image', `${layout}:one`, await layerFile(`layer${at}.tar`, parts));
  }
  const bundle = join(folder, 'bundle');
  run('umoci', 'unpack', ...(isRoot ? [] : ['--rootless']), '--image', `${layout}:one`, bundle);
  assert.deepEqual(await ours('layout.tar', layout), theirs(join(bundle, 'rootfs')));
});

test('the same image is read from every kind of archive', async () => {
  const expected = await ours('again.tar', layout);
  run('skopeo', 'copy', `oci:${layout}:one`, `oci-archive:${folder}/oci.tar:one`);
  run('skopeo', 'copy', `oci:${layout}:one`, `docker-archive:${folder}/docker.tar:nova:one`);
  run('skopeo', 'copy', '--dest-compress-format', 'zstd', `oci:${layout}:one`, `oci:${folder}/zstd:one`);
  writeFileSync(join(folder, 'docker.tar.gz'), gzipSync(readFileSync(join(folder, 'docker.tar'))));
  writeFileSync(join(folder, 'oci.tar.zst'), zstdCompressSync(readFileSync(join(folder, 'oci.tar'))));
  for (const name of ['oci.tar', 'oci.tar.zst', 'docker.tar', 'docker.tar.gz', 'zstd']) {
    assert.deepEqual(await ours(`${name}.out`, join(folder, name)), expected, name);
  }
});

test('an archive of several images wants a tag, and says which there are', async () => {
  run('umoci', 'new', '--image', `${layout}:two`);
  run('umoci', 'config', '--image', `${layout}:two`, '--architecture', 'amd64', '--os', 'linux');
  await assert.rejects(ours('x.tar', layout), { message: /several container images: one, two/, hint: /tag: TAG/ });
  await assert.rejects(ours('x.tar', layout, 'three'), { message: /no container image three: it holds one, two/ });
  assert.equal((await ours('two.tar', layout, 'two')).size, 0);
  assert.notEqual((await ours('one.tar', layout, 'one')).size, 0);
});

test('an image of another architecture is refused in words', async () => {
  run('umoci', 'init', '--layout', join(folder, 'arm'));
  run('umoci', 'new', '--image', `${folder}/arm:one`);
  run('umoci', 'config', '--image', `${folder}/arm:one`, '--architecture', 'arm64', '--os', 'linux');
  await assert.rejects(ours('x.tar', join(folder, 'arm')), { message: /not for amd64: it is for arm64/ });
});

test('of an index within the index, the image for this machine is taken', async () => {
  const multi = join(folder, 'multi');
  cpSync(layout, multi, { recursive: true });
  cpSync(join(folder, 'arm/blobs'), join(multi, 'blobs'), { recursive: true });
  const manifests = ['layout', 'arm'].flatMap((from) => {
    const { manifests: all } = JSON.parse(readFileSync(join(folder, from, 'index.json'), 'utf8'));
    const [first] = all.filter((one: { annotations: object }) => Object.values(one.annotations).includes('one'));
    return [{ ...first, annotations: {}, platform: { os: 'linux', architecture: from === 'arm' ? 'arm64' : 'amd64' } }];
  });
  const text = JSON.stringify({ schemaVersion: 2, manifests });
  const hex = createHash('sha256').update(text).digest('hex');
  writeFileSync(join(multi, 'blobs/sha256', hex), text);
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const index = { schemaVersion: 2, manifests: [{ mediaType, digest: `sha256:${hex}`, size: text.length }] };
  writeFileSync(join(multi, 'index.json'), JSON.stringify(index));
  assert.deepEqual(await ours('multi.tar', multi), await ours('one.tar', layout, 'one'));
});

test('a blob that is not what its digest says is an error, in each kind of archive', async () => {
  const damaged = join(folder, 'damaged');
  cpSync(layout, damaged, { recursive: true });
  const blobs = join(damaged, 'blobs/sha256');
  const read = (hex: string) => readFileSync(join(blobs, hex));
  const { digest } = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')).manifests[0];
  const manifest = JSON.parse(read(digest.slice(7)).toString());
  for (const one of [
    digest,
    manifest.config.digest,
    ...manifest.layers.map((layer: { digest: string }) => layer.digest),
  ]) {
    const hex = one.slice('sha256:'.length);
    const whole = read(hex);
    writeFileSync(join(blobs, hex), Buffer.concat([whole, Buffer.from(' ')]));
    await assert.rejects(ours('x.tar', damaged, 'one'), { code: 'IMAGE_BUILD_FAILED', message: /is damaged/ });
    writeFileSync(join(blobs, hex), whole);
  }
  const saved = readFileSync(join(folder, 'docker.tar'));
  saved[saved.indexOf('parents were not told')] = 0x50;
  writeFileSync(join(folder, 'saved-damaged.tar'), saved);
  await assert.rejects(ours('x.tar', join(folder, 'saved-damaged.tar')), { message: /a layer .* is damaged/ });
});

/** What a file is, in words that can be compared. Links are known by the first name of their file. */
type Found = Map<string, string>;

async function ours(name: string, from: string, tag?: string): Promise<Found> {
  const to = join(folder, name);
  const work = mkdtempSync(join(folder, 'work-'));
  await spoolOci({ kind: 'oci', path: from, ...(tag === undefined ? {} : { tag }) }, to, work, () => {});
  const found: Found = new Map();
  const contents = new Map<string, string>();
  const groups: string[][] = [];
  for await (const record of readRootTar(to)) {
    if (record.kind === 'link') {
      contents.set(record.path, contents.get(record.to) ?? 'a link to nothing');
      groups.find((group) => group.includes(record.to))?.push(record.path);
      continue;
    }
    const { entry, xattrs } = record;
    const bytes: Uint8Array[] = [];
    if (entry.kind === 'file') for await (const chunk of record.content) bytes.push(chunk);
    const what = entry.kind === 'file' ? Buffer.concat(bytes).toString('base64') : (entry.target ?? '');
    const owner = isRoot ? `${entry.uid}:${entry.gid}` : '';
    const capable = isRoot && xattrs.has('security.capability') ? ' cap_net_raw=ep' : '';
    contents.set(entry.path, `${entry.kind} ${entry.mode.toString(8)} ${owner} ${what}${capable}`);
    groups.push([entry.path]);
  }
  for (const group of groups) {
    for (const path of group) found.set(path, `${contents.get(path)} ${group.sort()[0]}`);
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function theirs(root: string): Found {
  const found: Found = new Map();
  const firsts = new Map<number, string>();
  for (const path of below(root, '').sort((a, b) => (a < b ? -1 : 1))) {
    const about = lstatSync(join(root, path));
    const kind = about.isDirectory() ? 'directory' : about.isSymbolicLink() ? 'symlink' : 'file';
    if (kind === 'file' && !firsts.has(about.ino)) firsts.set(about.ino, path);
    const what =
      kind === 'file'
        ? readFileSync(join(root, path)).toString('base64')
        : kind === 'symlink'
          ? readlinkSync(join(root, path))
          : '';
    const owner = isRoot ? `${about.uid}:${about.gid}` : '';
    const cap =
      isRoot && kind === 'file' ? execFileSync('getcap', [join(root, path)], { encoding: 'utf8' }).trim() : '';
    const capable = cap === '' ? '' : ` ${cap.split(' ').at(-1)}`;
    const first = kind === 'file' ? firsts.get(about.ino) : path;
    found.set(path, `${kind} ${(about.mode & 0o7777).toString(8)} ${owner} ${what}${capable} ${first}`);
  }
  return found;
}

/** Every name below a folder; symlinks are not followed. */
function below(root: string, at: string): string[] {
  return readdirSync(join(root, at), { withFileTypes: true }).flatMap((one) => {
    const path = join(at, one.name);
    return one.isDirectory() ? [path, ...below(root, path)] : [path];
  });
}
