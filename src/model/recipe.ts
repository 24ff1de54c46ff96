import type { Place } from '../errors.ts';

/** Where the root file system of an image comes from: packages of a suite, or a root that is there already. */
export type RecipeSource = { readonly kind: 'debian' | 'ubuntu'; readonly suite: string } | ForeignSource;

/** A root that is there already. `path` is absolute. */
export type ForeignSource =
  | { readonly kind: 'tar'; readonly path: string }
  /** `tag` chooses among the images of one archive. */
  | { readonly kind: 'oci'; readonly path: string; readonly tag?: string }
  /** `partition` is a partition's number or `GROUP/VOLUME`; absent: where the only root is. */
  | { readonly kind: 'disk'; readonly path: string; readonly partition?: string };

/** How to build an image, with every default filled in. */
export type Recipe = {
  readonly name: string;
  /** The recipe that it takes over; the lists below begin with those of that one. */
  readonly extends?: Recipe;
  readonly from: RecipeSource;
  /** apt source lines; absent: the machine's own apt configuration. */
  readonly mirrors?: readonly string[];
  /** Absolute path of the keys that sign the apt sources; absent: the distribution's own. */
  readonly keyring?: string;
  readonly packages: readonly string[];
  /** Packages to purge after installation. */
  readonly removePackages: readonly string[];
  /** Absolute paths or globs of paths to leave out of the initrd. */
  readonly removePaths: readonly string[];
  /** Absolute paths or globs that the standard list of dropped paths must spare. */
  readonly keepPaths: readonly string[];
  /** Whether the standard list of dropped paths (docs, locales, caches, firmware) applies. */
  readonly slim: boolean;
  /** Shell lines run inside the root, in order, as root. */
  readonly run: readonly string[];
  /** Shell lines that must succeed inside the finished root, as it will be shipped. */
  readonly check: readonly string[];
  /** Absolute paths or globs of programs and libraries that may lack what they are linked to. */
  readonly ignoreMissing: readonly string[];
  /** Whether the initrd is the root, or a small one that fetches the root as squashfs. */
  readonly root: 'initramfs' | 'squashfs';
  /** Kernel modules for the small initrd besides the usual ones. */
  readonly initrdModules: readonly string[];
  readonly compress: 'zstd' | 'gzip' | 'auto';
  readonly place: Place;
};
