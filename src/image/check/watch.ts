import type { Member } from '../cpio.ts';
import type { Entry } from '../entry.ts';
import { isLinkable, type Linked, linkedOf } from './elf.ts';
import type { LinkedRoot } from './libraries.ts';

/** Longer programs and libraries than this are not looked into, in bytes. */
const LARGEST = 512 * 1024 * 1024;
const HEAD_BYTES = 20;
const LDSO_CONF = /^etc\/ld\.so\.conf(\.d\/[^/]+\.conf)?$/;

/** Looks at an image's members as they pass by: `members` gives them on, `seen` is whole once all have passed. */
export function watchLinks(members: AsyncIterable<Member>): { members: AsyncIterable<Member>; seen: LinkedRoot } {
  const entries = new Map<string, Pick<Entry, 'kind' | 'target'>>();
  const linked = new Map<string, Linked>();
  const folders: string[] = [];
  const take = ({ path }: Entry, content: Buffer) => {
    if (LDSO_CONF.test(path))
      folders.push(
        ...content
          .toString('utf8')
          .split(/[\n:,]/)
          .map((one) => one.trim()),
      );
    const found = linkedOf(content);
    if (found) linked.set(path, found);
  };
  const passing = async function* () {
    for await (const member of members) {
      const { entry, content } = member;
      const { kind, target } = entry;
      entries.set(entry.path, { kind, ...(target === undefined ? {} : { target }) });
      if (content === undefined || kind !== 'file' || entry.size > LARGEST) yield member;
      else yield { ...member, content: overheard(entry, content, take) };
    }
  };
  return { members: passing(), seen: { entries, linked, folders } };
}

/** The content as it is; what is worth a look is handed over whole at its end. */
async function* overheard(
  entry: Entry,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  take: (entry: Entry, content: Buffer) => void,
): AsyncGenerator<Uint8Array> {
  let kept: Uint8Array[] | undefined = [];
  let length = 0;
  let judged = LDSO_CONF.test(entry.path);
  for await (const chunk of content) {
    if (kept !== undefined) {
      // Copied: the reader of the root may use its buffer again.
      kept.push(Uint8Array.from(chunk));
      length += chunk.length;
      if (!judged && length >= HEAD_BYTES) {
        judged = true;
        if (!isLinkable(Buffer.concat(kept.slice(0, HEAD_BYTES)))) kept = undefined;
      }
    }
    yield chunk;
  }
  if (kept !== undefined && judged) take(entry, Buffer.concat(kept));
}
