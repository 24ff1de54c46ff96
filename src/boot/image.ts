import type { FileRole } from '../model/bootFile.ts';

/** The files of a finished image, by the names they are asked for. */
export const IMAGE_FILES = ['vmlinuz', 'initrd', 'root.squashfs'] as const;
export type ImageFileName = (typeof IMAGE_FILES)[number];

/** What each of them is to a boot. */
export const ROLE_IN_IMAGE = {
  vmlinuz: 'kernel',
  initrd: 'initrd',
  'root.squashfs': 'root',
} as const satisfies { readonly [F in ImageFileName]: FileRole };

/** Which of an image's files `name` is, if it is one. */
export function imageFileName(name: string): ImageFileName | undefined {
  return IMAGE_FILES.find((file) => file === name);
}

/** A finished image that a node boots. With a squashfs root its initrd is small and fetches that root. */
export type BootImage = {
  readonly sha256: string;
  /** The squashfs root: its own SHA-256 and its bytes; absent where the initrd is the root. */
  readonly root?: { readonly sha256: string; readonly size: number };
};
