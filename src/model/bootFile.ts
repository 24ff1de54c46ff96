/**
 * What a file is to a boot. `script` is what a loader reads (an iPXE script, the configuration of pxelinux), `root` the squashfs
 * root of an image, `file` any other.
 */
export const FILE_ROLES = ['loader', 'script', 'kernel', 'initrd', 'root', 'file'] as const;
export type FileRole = (typeof FILE_ROLES)[number];

/** What is known of a boot file beside its name. `image`: the SHA-256 of the image that it belongs to. */
export type FileFacts = { readonly role: FileRole; readonly image?: string };

/** Only the facts, of something that has more. */
export function factsOf({ role, image }: FileFacts): FileFacts {
  return image === undefined ? { role } : { role, image };
}
