/** One file of a root file system as an archive holds it. `path` has no leading slash: `usr/bin/ls`. */
export type Entry = {
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'character' | 'block' | 'fifo';
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Bytes of a file's content; 0 for everything else. */
  readonly size: number;
  /** Where a symlink points. */
  readonly target?: string;
  /** Numbers of a device node. */
  readonly device?: { readonly major: number; readonly minor: number };
};

/** A directory that no archive described: what `mkdir` by root would make. */
export function plainDirectory(path: string, mtime: number): Entry {
  return { path, kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtime, size: 0 };
}
