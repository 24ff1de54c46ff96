import type { ImageFile } from './contents.ts';
import type { Entry } from './entry.ts';
import type { ShelvedImage } from './shelf.ts';

/** One file in which two images differ; sizes in bytes, absent where the image does not have it. */
export type FileDifference = {
  readonly path: string;
  readonly before?: number;
  readonly after?: number;
  /** The difference of a file that both have: `content`, `mode 755 -> 4755`. */
  readonly what: readonly string[];
};

export type PackageDifference = { readonly name: string; readonly before?: string; readonly after?: string };

/** What is different in image `b` from image `a`. Files come with the largest change first. */
export type ImageDifference = {
  readonly kernel: { readonly before: string; readonly after: string };
  /** Bytes that a node fetches, and bytes that the root has unpacked. */
  readonly fetched: { readonly before: number; readonly after: number };
  readonly unpacked: { readonly before: number; readonly after: number };
  readonly packages: readonly PackageDifference[];
  readonly files: readonly FileDifference[];
};

/** An image and every file of its root. */
export type Opened = { readonly image: ShelvedImage; readonly files: ReadonlyMap<string, ImageFile> };

/** Compares two images: what changed from `a` to `b`. */
export function diffImages(a: Opened, b: Opened): ImageDifference {
  const fetched = ({ image }: Opened) => image.kernel.size + image.initrd.size + (image.root?.size ?? 0);
  const unpacked = ({ files }: Opened) => [...files.values()].reduce((sum, file) => sum + file.size, 0);
  return {
    kernel: { before: a.image.kernelVersion, after: b.image.kernelVersion },
    fetched: { before: fetched(a), after: fetched(b) },
    unpacked: { before: unpacked(a), after: unpacked(b) },
    packages: diffPackages(a.image.packages, b.image.packages),
    files: diffFiles(a.files, b.files),
  };
}

function diffPackages(a: ShelvedImage['packages'], b: ShelvedImage['packages']): readonly PackageDifference[] {
  const before = new Map(a.map(({ name, version }) => [name, version]));
  const after = new Map(b.map(({ name, version }) => [name, version]));
  return [...new Set([...before.keys(), ...after.keys()])].sort().flatMap((name) => {
    const [was, is] = [before.get(name), after.get(name)];
    if (was === is) return [];
    return [{ name, ...(was === undefined ? {} : { before: was }), ...(is === undefined ? {} : { after: is }) }];
  });
}

function diffFiles(a: ReadonlyMap<string, ImageFile>, b: ReadonlyMap<string, ImageFile>): readonly FileDifference[] {
  const differences: FileDifference[] = [];
  for (const path of new Set([...a.keys(), ...b.keys()])) {
    const [was, is] = [a.get(path), b.get(path)];
    const what = was === undefined || is === undefined ? [] : whatDiffers(was, is);
    if (was !== undefined && is !== undefined && what.length === 0) continue;
    differences.push({
      path: `/${path}`,
      ...(was === undefined ? {} : { before: was.size }),
      ...(is === undefined ? {} : { after: is.size }),
      what,
    });
  }
  const weight = ({ before = 0, after = 0 }: FileDifference) => Math.abs(after - before);
  return differences.sort((x, y) => weight(y) - weight(x) || (x.path < y.path ? -1 : 1));
}

function whatDiffers(was: ImageFile, is: ImageFile): readonly string[] {
  const turned = <T>(name: string, from: T, to: T) => (from === to ? [] : [`${name} ${from} -> ${to}`]);
  const device = (file: Pick<Entry, 'device'>) => `${file.device?.major}:${file.device?.minor}`;
  return [
    ...turned('kind', was.kind, is.kind),
    ...(was.holds === is.holds || was.kind !== is.kind ? [] : ['content']),
    ...turned('target', was.target ?? '', is.target ?? ''),
    ...turned('mode', was.mode.toString(8), is.mode.toString(8)),
    ...turned('owner', `${was.uid}:${was.gid}`, `${is.uid}:${is.gid}`),
    ...turned('device', device(was), device(is)),
  ];
}
