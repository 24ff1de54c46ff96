import { ReveilleError } from '../../errors.ts';

/** Something on a disk that may hold a file system, as the guest that reads it saw it. */
export type Volume = {
  /** The guest's name for it: `/dev/vda2`, `/dev/mapper/group-root`. */
  readonly device: string;
  readonly size: number;
  /** Number in the partition table. */
  readonly partition?: number;
  /** Name of a logical volume, `GROUP/VOLUME`. */
  readonly lv?: string;
  /** What blkid(8) says of it: TYPE, UUID, LABEL, PART_ENTRY_UUID and more. */
  readonly tags: ReadonlyMap<string, string>;
  /** There if a root file system lies in it. */
  readonly root?: {
    /** `Debian GNU/Linux 12 (bookworm)`; empty where it says nothing. */
    readonly title: string;
    readonly fstab: string;
    /** Subvolume of btrfs that holds it. */
    readonly subvolume?: string;
  };
};

/** A file system to mount in the guest, below the root that it reads. */
export type Mount = {
  readonly device: string;
  readonly type: string;
  readonly options: string;
  readonly path: string;
};

/** Reads the guest's lines about the disk. Impossible ones are skipped: the disk's contents are not trusted. */
export function parseVolumes(lines: readonly string[]): readonly Volume[] {
  const volumes: Volume[] = [];
  for (const line of lines) {
    const [word = '', value = ''] = line.split(/ (.*)/s);
    const last = volumes.at(-1);
    if (word === 'volume') volumes.push({ device: value, size: 0, tags: new Map() });
    else if (last !== undefined) volumes[volumes.length - 1] = extended(last, word, value);
  }
  return volumes;
}

function extended(volume: Volume, word: string, value: string): Volume {
  const root = volume.root ?? { title: '', fstab: '' };
  switch (word) {
    case 'size':
      return { ...volume, size: Number(value) || 0 };
    case 'partition':
      return { ...volume, partition: Number(value) };
    case 'lv':
      return { ...volume, lv: value };
    case 'blkid': {
      const [key = '', text = ''] = value.split(/=(.*)/s);
      return { ...volume, tags: new Map([...volume.tags, [key, text.replace(/\\(.)/g, '$1')]]) };
    }
    case 'root':
      return { ...volume, root };
    case 'subvolume':
      return { ...volume, root: { ...root, subvolume: value } };
    case 'os':
      return { ...volume, root: { ...root, title: titleOf(decode(value)) } };
    case 'fstab':
      return { ...volume, root: { ...root, fstab: decode(value) } };
    default:
      return volume;
  }
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}

function titleOf(osRelease: string): string {
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? '';
}

/**
 * The volume that holds the root: the one that was asked for (a partition's number or `GROUP/VOLUME`), else the only
 * one. Throws ReveilleError that names what is on the disk and how to choose.
 */
export function chooseRoot(volumes: readonly Volume[], asked: string | undefined, disk: string): Volume {
  const names = (some: readonly Volume[]) => some.map((volume) => `\n  ${describe(volume)}`).join('');
  if (asked !== undefined) {
    const found = volumes.find((volume) => nameOf(volume) === asked || volume.device.endsWith(`/${asked}`));
    if (found?.root !== undefined) return found;
    const what =
      found === undefined ? `${disk} has no partition ${asked}` : `partition ${asked} of ${disk} holds no root`;
    throw new ReveilleError('IMAGE_BUILD_FAILED', `${what}. It has:${names(volumes)}`);
  }
  const roots = volumes.filter((volume) => volume.root !== undefined);
  const [first, second] = roots;
  if (first !== undefined && second === undefined) return first;
  if (first !== undefined) {
    throw new ReveilleError('IMAGE_BUILD_FAILED', `several roots lie on ${disk}:${names(roots)}`, {
      hint: `say which one: from: { disk: FILE, partition: ${nameOf(first)} }`,
    });
  }
  const locked = volumes.some((volume) => /^(crypto_LUKS|BitLocker)$/.test(volume.tags.get('TYPE') ?? ''));
  throw new ReveilleError(
    'IMAGE_BUILD_FAILED',
    `no root was found on ${disk}${locked ? ', of which a part is encrypted' : ''}. It has:${names(volumes)}`,
    {
      hint: locked
        ? 'copy the running machine into a tar instead, and build from: { tar: FILE }'
        : 'a root has /etc/passwd and /etc/os-release, on ext2-4, xfs or btrfs, in a partition or a logical volume',
    },
  );
}

/** How a recipe names a volume. */
function nameOf(volume: Volume): string {
  return volume.lv ?? (volume.partition === undefined ? volume.device.replace('/dev/', '') : String(volume.partition));
}

function describe(volume: Volume): string {
  const type = volume.tags.get('TYPE') ?? volume.tags.get('PTTYPE') ?? 'nothing known';
  const label = volume.tags.get('LABEL');
  const words = [`${(volume.size / 1e9).toFixed(1)} GB`, type, label === undefined ? '' : `"${label}"`];
  return `${nameOf(volume)}: ${[...words, volume.root?.title ?? ''].filter((word) => word !== '').join(', ')}`;
}

/** What the guest mounts, in order, and which entries of the root's fstab are not on the disk. */
export type ReadingPlan = {
  readonly mounts: readonly Mount[];
  readonly missing: readonly string[];
  /** Swap files, which are large and empty of meaning. */
  readonly excluded: readonly string[];
};

const READABLE = /^(ext[234]|xfs|btrfs)$/;
/** Names with whitespace or dots, which the protocol with the guest cannot carry, or which would leave the root. */
const PLAIN_PATH = /^(?!.*\/\.\.?(\/|$))(\/[^\s\\/]+)+$/;

/** Plans what to mount: the root, and each file system of its fstab that lies on the same disk. */
export function planReading(root: Volume, volumes: readonly Volume[]): ReadingPlan {
  const mounts: Mount[] = [mountOf(root, '/', root.root?.subvolume)];
  const missing: string[] = [];
  const excluded: string[] = [];
  for (const line of (root.root?.fstab ?? '').split('\n')) {
    const [source = '', path = '', type = '', options = ''] = line.trim().split(/\s+/);
    if (type === 'swap' && PLAIN_PATH.test(source) && !source.startsWith('/dev/')) excluded.push(source);
    // Another node of the same kind would mount what lies on the network by itself.
    if (!READABLE.test(type) || !PLAIN_PATH.test(path)) continue;
    const volume = volumes.find((one) => isSource(one, source) && READABLE.test(one.tags.get('TYPE') ?? ''));
    const subvolume = /(?:^|,)subvol=\/?([^,\s]+)/.exec(options)?.[1];
    if (volume === undefined) missing.push(path);
    else mounts.push(mountOf(volume, path, subvolume));
  }
  const depth = (mount: Mount) => mount.path.split('/').filter((part) => part !== '').length;
  return { mounts: mounts.sort((a, b) => depth(a) - depth(b)), missing, excluded };
}

function mountOf(volume: Volume, path: string, subvolume: string | undefined): Mount {
  const type = volume.tags.get('TYPE') ?? '';
  const more = type === 'xfs' ? ',nouuid' : type === 'btrfs' && subvolume !== undefined ? `,subvol=/${subvolume}` : '';
  return { device: volume.device, type, options: `ro${more}`, path };
}

/** Whether the first word of a line of fstab(5) means this volume. The disk's own name was another in its machine. */
function isSource(volume: Volume, source: string): boolean {
  const [key = '', value = ''] = source.replaceAll('"', '').split('=');
  const tag = { UUID: 'UUID', LABEL: 'LABEL', PARTUUID: 'PART_ENTRY_UUID', PARTLABEL: 'PART_ENTRY_NAME' }[key];
  if (tag !== undefined) return value !== '' && volume.tags.get(tag)?.toLowerCase() === value.toLowerCase();
  const number = /^\/dev\/(?:[hsv]d[a-z]|xvd[a-z]|nvme\d+n\d+p|mmcblk\d+p)(\d+)$/.exec(source)?.[1];
  if (number !== undefined) return volume.partition === Number(number);
  return source === volume.device || (volume.lv !== undefined && source === `/dev/${volume.lv}`);
}
