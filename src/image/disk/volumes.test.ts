import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReveilleError } from '../../errors.ts';
import { chooseRoot, parseVolumes, planReading } from './volumes.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const root = (title: string, fstab = '') => [
  'root',
  `os ${base64(`PRETTY_NAME="${title}"\n`)}`,
  `fstab ${base64(fstab)}`,
];
const partition = (number: number, type: string, ...more: readonly string[]) => [
  `volume /dev/vda${number}`,
  'size 2000000000',
  `partition ${number}`,
  `blkid TYPE=${type}`,
  ...more,
];
const lv = (name: string, type: string, ...more: readonly string[]) => [
  `volume /dev/mapper/${name.replace('/', '-')}`,
  'size 3000000000',
  `lv ${name}`,
  `blkid TYPE=${type}`,
  ...more,
];
const DISK = ['volume /dev/vda', 'size 9000000000', 'blkid PTTYPE=gpt'];

for (const { name, lines, asked, device, message, hint } of [
  {
    name: 'the only root',
    lines: [...DISK, ...partition(1, 'vfat'), ...partition(2, 'ext4', ...root('Debian 12'))],
    device: '/dev/vda2',
  },
  {
    name: 'a file system on the whole disk',
    lines: ['volume /dev/vda', 'blkid TYPE=ext4', ...root('x')],
    device: '/dev/vda',
  },
  {
    name: 'a root that is asked for among several',
    lines: [...DISK, ...partition(1, 'ext4', ...root('old')), ...lv('vg/root', 'xfs', ...root('new'))],
    asked: 'vg/root',
    device: '/dev/mapper/vg-root',
  },
  {
    name: 'several roots',
    lines: [...DISK, ...partition(1, 'ext4', ...root('old')), ...lv('vg/root', 'xfs', ...root('new'))],
    message: /several roots lie on d:\n {2}1: 2.0 GB, ext4, old\n {2}vg\/root: 3.0 GB, xfs, new$/,
    hint: /partition: 1 /,
  },
  {
    name: 'no root',
    lines: [...DISK, ...partition(1, 'ntfs', 'blkid LABEL=System\\ Reserved')],
    message: /no root was found on d. It has:\n {2}vda: 9.0 GB, gpt\n {2}1: 2.0 GB, ntfs, "System Reserved"$/,
  },
  {
    name: 'an encrypted disk',
    lines: [...DISK, ...partition(1, 'crypto_LUKS')],
    message: /no root was found on d, of which a part is encrypted/,
    hint: /from: \{ tar: FILE \}/,
  },
  {
    name: 'a partition that is not there',
    lines: [...DISK, ...partition(1, 'ext4', ...root('x'))],
    asked: '3',
    message: /d has no partition 3. It has:/,
  },
  {
    name: 'a partition without a root',
    lines: [...DISK, ...partition(1, 'ext4')],
    asked: '1',
    message: /partition 1 of d holds no root/,
  },
] satisfies readonly {
  name: string;
  lines: readonly string[];
  asked?: string;
  device?: string;
  message?: RegExp;
  hint?: RegExp;
}[]) {
  test(`where the root lies: ${name}`, () => {
    const choose = () => chooseRoot(parseVolumes(lines), asked, 'd');
    if (device !== undefined) assert.equal(choose().device, device);
    else assert.throws(choose, { code: 'IMAGE_BUILD_FAILED', message, ...(hint === undefined ? {} : { hint }) });
  });
}

test('what fstab names is found by every kind of name, and mounted in the order of the tree', () => {
  const fstab = `
# a comment
UUID=AAAA-1 / ext4 defaults 0 1
/dev/sda3 /var/lib ext4 defaults 0 2
LABEL="var" /var xfs defaults 0 2
/dev/vg/home /home ext4 defaults 0 2
PARTUUID=beef /srv btrfs subvol=@srv,noatime 0 2
UUID=not-here /data ext4 defaults 0 2
UUID=CAFE /boot/efi vfat umask=0077 0 1
/swap.bin none swap sw 0 0
/dev/sda9 none swap sw 0 0
nfs:/export /mnt nfs defaults 0 0
tmpfs /tmp tmpfs defaults 0 0
/dev/sda3 /a/../../b ext4 defaults 0 0
`;
  const volumes = parseVolumes([
    ...DISK,
    ...partition(2, 'ext4', 'blkid UUID=aaaa-1', ...root('x', fstab)),
    ...partition(3, 'ext4'),
    ...partition(4, 'xfs', 'blkid LABEL=var'),
    ...partition(5, 'btrfs', 'blkid PART_ENTRY_UUID=BEEF'),
    ...partition(6, 'vfat', 'blkid UUID=CAFE'),
    ...lv('vg/home', 'ext4'),
  ]);
  const plan = planReading(chooseRoot(volumes, undefined, 'd'), volumes);
  assert.deepEqual(
    plan.mounts.map(({ device, type, options, path }) => [path, device, type, options]),
    [
      ['/', '/dev/vda2', 'ext4', 'ro'],
      ['/var', '/dev/vda4', 'xfs', 'ro,nouuid'],
      ['/home', '/dev/mapper/vg-home', 'ext4', 'ro'],
      ['/srv', '/dev/vda5', 'btrfs', 'ro,subvol=/@srv'],
      ['/var/lib', '/dev/vda3', 'ext4', 'ro'],
    ],
  );
  assert.deepEqual(plan.missing, ['/data']);
  assert.deepEqual(plan.excluded, ['/swap.bin']);
});

test('a root in a subvolume is mounted from there', () => {
  const volumes = parseVolumes([...partition(1, 'btrfs', ...root('x'), 'subvolume @')]);
  assert.equal(planReading(chooseRoot(volumes, undefined, 'd'), volumes).mounts[0]?.options, 'ro,subvol=/@');
});

test('whatever a disk makes the guest say, there is a plan of plain words or an error of ours', () => {
  const word = fc.constantFrom('volume', 'size', 'partition', 'lv', 'blkid', 'root', 'os', 'fstab', 'subvolume', 'x');
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom('TYPE=ext4', 'TYPE=btrfs', 'UUID=1', '/dev/vda1'),
    fc.string().map((line) => base64(`UUID=1 /${line} ext4 subvol=${line}\n/${line} x swap`)),
  );
  const lines = fc.array(
    fc.tuple(word, text).map((pair) => pair.join(' ').replaceAll('\n', '')),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(lines, (printed) => {
      const volumes = parseVolumes(printed);
      try {
        const plan = planReading(chooseRoot(volumes, undefined, 'd'), volumes);
        for (const { path } of plan.mounts) assert.match(path, /^\/([^\s\\/]+(\/[^\s\\/]+)*)?$/);
      } catch (error) {
        assert.ok(error instanceof ReveilleError, String(error));
      }
    }),
  );
});
