import { ReveilleError } from '../errors.ts';
import type { Member } from './cpio.ts';
import type { Entry } from './entry.ts';
import type { Xattrs } from './paxXattrs.ts';

// POSIX pax (IEEE Std 1003.1, pax, "ustar interchange format"): what mksquashfs reads from its standard input.

const BLOCK = 512;
const TYPE: { readonly [kind in Entry['kind']]: string } = {
  file: '0',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};
const LINK = '1';
const PAX = 'x';

/** Writes members as a tar, in their order: the first name of a file carries its content, further names are links to it. */
export async function* tar(members: AsyncIterable<Member> | Iterable<Member>): AsyncGenerator<Uint8Array> {
  const firstNames = new Map<number, string>();
  for await (const { entry, inode, links, content, xattrs } of members) {
    const first = links > 1 ? firstNames.get(inode) : undefined;
    yield encodeTarHeader(entry, { linkTo: first, xattrs });
    if (links > 1) firstNames.set(inode, first ?? entry.path);
    if (content === undefined) continue;
    let written = 0;
    for await (const chunk of content) {
      written += chunk.length;
      if (written > entry.size) break;
      yield chunk;
    }
    if (written !== entry.size) {
      throw new ReveilleError('IMAGE_BUILD_FAILED', `/${entry.path} does not have the ${entry.size} bytes announced`);
    }
    if (written % BLOCK !== 0) yield Buffer.alloc(BLOCK - (written % BLOCK));
  }
  yield Buffer.alloc(2 * BLOCK);
}

/** The header of one entry, after a pax header for what the old form has no room for. */
export function encodeTarHeader(
  entry: Entry,
  { linkTo, xattrs }: { readonly linkTo?: string | undefined; readonly xattrs?: Xattrs | undefined },
): Uint8Array {
  const isLink = linkTo !== undefined;
  const target = linkTo ?? entry.target ?? '';
  const records = [
    ...(Buffer.byteLength(entry.path) > 100 ? [record('path', entry.path)] : []),
    ...(Buffer.byteLength(target) > 100 ? [record('linkpath', target)] : []),
    ...(entry.uid > 0o7777777 ? [record('uid', String(entry.uid))] : []),
    ...(entry.gid > 0o7777777 ? [record('gid', String(entry.gid))] : []),
    ...(entry.size > 0o77777777777 ? [record('size', String(entry.size))] : []),
    ...(isLink ? [] : [...(xattrs ?? [])].map(([name, value]) => record(`SCHILY.xattr.${name}`, value))),
  ];
  const main = block({
    name: entry.path,
    type: isLink ? LINK : TYPE[entry.kind],
    size: isLink ? 0 : entry.size,
    target,
    entry,
  });
  if (records.length === 0) return main;
  const pax = Buffer.concat(records);
  const head = block({ name: 'pax', type: PAX, size: pax.length, target: '', entry: { ...entry, uid: 0, gid: 0 } });
  return Buffer.concat([head, pax, Buffer.alloc(-pax.length & (BLOCK - 1)), main]);
}

function block(of: {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly target: string;
  readonly entry: Entry;
}): Buffer {
  const { entry } = of;
  const header = Buffer.alloc(BLOCK);
  const text = (value: string, at: number, room: number) => Buffer.from(value).copy(header, at, 0, room);
  const octal = (value: number, at: number, digits: number) =>
    text(
      `${Math.min(Math.max(value, 0), 8 ** digits - 1)
        .toString(8)
        .padStart(digits, '0')}`,
      at,
      digits,
    );
  text(of.name, 0, 100);
  octal(entry.mode & 0o7777, 100, 7);
  octal(entry.uid, 108, 7);
  octal(entry.gid, 116, 7);
  octal(of.size, 124, 11);
  octal(entry.mtime, 136, 11);
  text(of.type, 156, 1);
  text(of.target, 157, 100);
  text('ustar\u000000', 257, 8);
  octal(entry.device?.major ?? 0, 329, 7);
  octal(entry.device?.minor ?? 0, 337, 7);
  // The checksum counts its own field as spaces.
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  text(`${sum.toString(8).padStart(6, '0')}\0`, 148, 7);
  return header;
}

/** `<length> <key>=<value>\n`, where the length counts its own digits. */
function record(key: string, value: string | Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}
