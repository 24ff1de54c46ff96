import { ReveilleError } from '../errors.ts';
import type { Entry } from './entry.ts';
import type { Xattrs } from './paxXattrs.ts';

// The "newc" form of cpio, the only one that Linux unpacks as an initramfs (Documentation/driver-api/early-userspace/
// buffer-format.rst): a header of ASCII hex fields, the name with its NUL, padding to 4, the content, padding to 4.

const HEADER_BYTES = 110;
const TRAILER = 'TRAILER!!!';
/** Linux silently skips longer names (PATH_MAX, the NUL counted). */
const NAME_BYTES = 4096;
const MAX_FILE_BYTES = 0xffff_ffff;

/** The file type in a mode, as stat(2) has it. */
export const CPIO_TYPES: { readonly [kind in Entry['kind']]: number } = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
};

/**
 * One entry and the names that share its inode. Linux keeps a node of more than 4 KB for each entry with two links or more until
 * the archive ends, so `links` is the number of names in this archive, not the count from a disk. The first of several names
 * carries the content and the others are written with size 0.
 */
export type Member = {
  readonly entry: Entry;
  readonly inode: number;
  readonly links: number;
  /** Exactly `entry.size` bytes. Absent for everything that has none. */
  readonly content?: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** Extended attributes, for archives that can carry them: newc cannot. */
  readonly xattrs?: Xattrs;
};

/** Writes members as a newc archive, in their order, trailer included, ready for the kernel. */
export async function* cpio(members: AsyncIterable<Member> | Iterable<Member>): AsyncGenerator<Uint8Array> {
  for await (const member of members) {
    yield encodeHeader(member.entry, member.inode, member.links);
    if (member.content === undefined) continue;
    let written = 0;
    for await (const chunk of member.content) {
      written += chunk.length;
      if (written > member.entry.size) break;
      yield chunk;
    }
    if (written !== member.entry.size) {
      throw new ReveilleError(
        'IMAGE_BUILD_FAILED',
        `/${member.entry.path} was announced with ${member.entry.size} bytes and has ${written > member.entry.size ? 'more' : written}`,
      );
    }
    if (written % 4 !== 0) yield PADDING.subarray(0, padding(written));
  }
  yield encodeTrailer();
}

const PADDING = new Uint8Array(4);

/** The header of one entry, with its padded name, and for a symlink its padded target. */
export function encodeHeader(entry: Entry, inode: number, links: number): Uint8Array {
  if (entry.size > MAX_FILE_BYTES) {
    throw new ReveilleError(
      'IMAGE_BUILD_FAILED',
      `/${entry.path} has ${entry.size} bytes; cpio holds files up to 4 GiB`,
      {
        hint: 'leave it out with `remove:` and let the node fetch it',
      },
    );
  }
  const target = Buffer.from(entry.kind === 'symlink' ? (entry.target ?? '') : '');
  return encode(entry.path, target, [
    inode,
    CPIO_TYPES[entry.kind] | (entry.mode & 0o7777),
    entry.uid,
    entry.gid,
    links,
    Math.min(Math.max(entry.mtime, 0), 0xffff_ffff),
    entry.kind === 'symlink' ? target.length : entry.size,
    0,
    0,
    entry.device?.major ?? 0,
    entry.device?.minor ?? 0,
  ]);
}

function encodeTrailer(): Uint8Array {
  return encode(TRAILER, Buffer.alloc(0), [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
}

function encode(path: string, target: Buffer, fields: readonly number[]): Uint8Array {
  const name = Buffer.from(path);
  if (name.length === 0 || name.length >= NAME_BYTES || target.length >= NAME_BYTES || name.includes(0)) {
    throw new ReveilleError('IMAGE_BUILD_FAILED', `the kernel cannot unpack the name /${path.slice(0, 80)}`);
  }
  const nameEnd = HEADER_BYTES + name.length + 1;
  const targetAt = nameEnd + padding(nameEnd);
  const block = Buffer.alloc(targetAt + target.length + padding(target.length));
  let at = block.write('070701', 'latin1');
  for (const field of [...fields, name.length + 1, 0]) {
    at += block.write(field.toString(16).toUpperCase().padStart(8, '0'), at, 'latin1');
  }
  name.copy(block, at);
  target.copy(block, targetAt);
  return block;
}

function padding(length: number): number {
  return -length & 3;
}
