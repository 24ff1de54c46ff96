/**
 * Modes on the node, from those in the site folder. Git keeps of a mode only whether a file is executable, so a file that its
 * group or others can read in the site is 0755 or 0644 on the node. A mode that others cannot read in the site is kept as it is.
 * Setuid, setgid and sticky bits are never taken from the site folder; `overlay.yaml` sets them.
 */

const OTHERS_READ = 0o004;
const GROUP_READ = 0o040;
const PERMISSIONS = 0o777;

/** The mode of a file; `shield` are the bits that a folder around it in the site denies (see `shieldOf`). */
export function fileMode(mode: number, shield = 0): number {
  const open = mode & 0o100 ? 0o755 : 0o644;
  return (isPrivate(mode) ? mode & PERMISSIONS : open) & ~shield;
}

/** The mode of a folder, likewise. */
export function folderMode(mode: number, shield = 0): number {
  return (isPrivate(mode) ? mode & PERMISSIONS : 0o755) & ~shield;
}

/** Whether others may not read it. */
export function isPrivate(mode: number): boolean {
  return (mode & OTHERS_READ) === 0;
}

/**
 * What is in a private folder is as private as the folder, whatever its own mode: a folder that the image has already keeps the
 * mode that it has there.
 */
export function shieldOf(mode: number): number {
  if (!isPrivate(mode)) return 0;
  return mode & GROUP_READ ? 0o007 : 0o077;
}
