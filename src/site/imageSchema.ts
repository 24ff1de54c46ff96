import { z } from 'zod';
import { choice, filePath, keyed, listOf, matching, nameSuchAs, spelled, yesOrNo } from './forms.ts';
import { mistyped } from './shape.ts';

const PACKAGE = /^[A-Za-z0-9][A-Za-z0-9.+:~=/_-]*$/;
/** Absolute, with shell wildcards; no part is `..`. */
const ABSOLUTE = /^\/(?!(.*\/)?\.\.(\/|$))[^\p{Cc}]*$/u;

const packageName = matching('a package', 'linux-image-cloud-amd64', PACKAGE);
const absolutePath = matching('an absolute path', '/usr/share/doc/**', ABSOLUTE);
const packageOrPath = spelled({
  what: 'a package or an absolute path',
  example: 'rsyslog or /usr/share/doc/**',
  parse: (text) => (ABSOLUTE.test(text) || PACKAGE.test(text) ? text : undefined),
});
const mirror = matching(
  'an apt source',
  'http://mirror.example.org/debian',
  /^(deb(-src)?[ \t]+|[a-z+]+:\/)[^\p{Cc}]*$/u,
);

const suite = (what: string, example: string) => matching(what, example, /^[a-z0-9][a-z0-9-]*$/);

const source = keyed(
  {
    debian: suite('a Debian suite', 'bookworm').describe('Debian suite to build from.').exactOptional(),
    ubuntu: suite('an Ubuntu suite', 'jammy').describe('Ubuntu suite to build from.').exactOptional(),
    tar: filePath.describe('Root file system as a tar archive; a path relative to the site folder.').exactOptional(),
    oci: filePath
      .describe(
        'Container image: an OCI layout (folder or tar) or what `docker save` writes; relative to the site folder.',
      )
      .exactOptional(),
    tag: matching('the tag of an image', 'nova:2026.1', /^[^\s\p{Cc}]+$/u)
      .describe('With `oci`: which image of the archive, where it holds several.')
      .exactOptional(),
    disk: filePath
      .describe('Disk of a machine (qcow2, raw, vmdk, ...), switched off; a path relative to the site folder.')
      .exactOptional(),
    partition: z
      .union(
        [matching('a partition', '2, or debian-vg/root', /^[A-Za-z0-9][\w.+/-]*$/), z.int().min(1).transform(String)],
        {
          error: ({ input }) => `${mistyped('a partition', input)}\nsuch as 2, or debian-vg/root`,
        },
      )
      .describe(
        'With `disk`: where the root lies, a partition number or VOLUME-GROUP/VOLUME. Default: found by itself.',
      )
      .exactOptional(),
  },
  'where the image comes from',
)
  .meta({ minProperties: 1, maxProperties: 2, examples: [{ debian: 'bookworm' }] })
  .describe('Where the root file system comes from: debian, ubuntu, tar, oci or disk.');

/** A recipe, images/NAME.yaml. */
export const imageSchema = keyed(
  {
    extends: nameSuchAs('bookworm-nova')
      .describe('Another recipe that this one takes over; lists come after its lists, other keys instead of its own.')
      .exactOptional(),
    from: source.exactOptional(),
    mirrors: listOf(mirror, 'apt sources')
      .describe("apt sources. Default: the machine's own apt configuration.")
      .exactOptional(),
    mirror: mirror
      .meta({ description: 'Earlier spelling of `mirrors` with one source.', deprecated: true })
      .exactOptional(),
    keyring: filePath
      .describe('OpenPGP keys that sign the apt sources; a path relative to the site folder.')
      .exactOptional(),
    packages: listOf(packageName, 'packages').prefault([]).describe('Packages to install, a kernel among them.'),
    remove: listOf(packageOrPath, 'packages and paths')
      .prefault([])
      .describe('Packages to purge after installation, and absolute paths or globs to leave out.'),
    keep: listOf(absolutePath, 'absolute paths')
      .prefault([])
      .describe('Absolute paths or globs that the standard list of dropped files must spare.'),
    slim: yesOrNo.prefault(true).describe('Whether docs, locales, caches and firmware are dropped as standard.'),
    run: listOf(matching('shell lines', 'systemctl enable ssh', /\S/), 'shell lines')
      .prefault([])
      .describe('Shell lines run inside the root, in order, as root.'),
    check: listOf(matching('shell lines', 'nova-compute --version', /\S/), 'shell lines')
      .prefault([])
      .describe(
        'Shell lines that must succeed inside the finished root, as it will be shipped; one that fails ends the build.',
      ),
    ignoreMissing: listOf(matching('a path or a glob', '/usr/lib/tc/q_atm.so', /^\//), 'paths')
      .prefault([])
      .describe('Programs and libraries that may lack a library they are linked to.'),
    root: choice('initramfs', 'squashfs')
      .prefault('initramfs')
      .describe(
        'initramfs: the initrd is the root, unpacked in RAM. squashfs: a small initrd fetches the root over HTTP and ' +
          'keeps it compressed in RAM.',
      ),
    initrdModules: listOf(matching('a kernel module', 'r8152', /^[A-Za-z0-9_-]+$/), 'kernel modules')
      .prefault([])
      .describe('With root: squashfs, kernel modules for the small initrd besides the usual ones.'),
    compress: choice('auto', 'zstd', 'gzip')
      .prefault('auto')
      .describe('How the initrd (and a squashfs root) is compressed. auto: zstd where the kernel can read it.'),
  },
  'an image recipe, such as "from: { debian: bookworm }"',
).meta({ anyOf: [{ required: ['from'] }, { required: ['extends'] }] });

export type ImageDeclaration = z.output<typeof imageSchema>;
