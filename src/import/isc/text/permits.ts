import { didYouMean } from '../../../site/finding.ts';
import type { Cursor } from './cursor.ts';
import { readDatum } from './data.ts';
import { FLAGS } from './statements.ts';
import type { Permitted } from './tree.ts';

/** Reads whom `allow`, `deny` or `ignore` means. */
export function readPermit(cursor: Cursor): Permitted {
  for (const word of ['known', 'unknown'] as const) {
    if (cursor.skip(`${word}-clients`)) return { kind: word };
    if (!cursor.skip(word)) continue;
    cursor.expect('clients', `after "${word}"`);
    return { kind: word };
  }
  if (cursor.skip('members')) {
    cursor.expect('of', 'after "members"');
    return { kind: 'members', of: cursor.name('the name of a class') };
  }
  for (const word of ['all', 'authenticated', 'unauthenticated'] as const) {
    if (cursor.skip(`${word}-clients`)) return { kind: word };
    if (!cursor.skip(word)) continue;
    cursor.expect('clients', `after "${word}"`);
    return { kind: word };
  }
  if (cursor.skip('dynamic')) {
    cursor.expect('bootp', 'after "dynamic"');
    cursor.skip('clients');
    return { kind: 'dynamic-bootp' };
  }
  if (cursor.skip('after')) return { kind: 'after', when: readWhen(cursor) };
  const flag = cursor.peek().text.toLowerCase();
  if (FLAGS.has(flag)) {
    cursor.take();
    return { kind: 'flag', flag };
  }
  throw cursor.expected('whom to allow or deny', didYouMean(flag, PERMITTED) ?? `one of: ${PERMITTED.join(', ')}`);
}

const PERMITTED = [
  'known-clients',
  'members of "CLASS"',
  'all clients',
  'dynamic bootp clients',
  'after TIME',
  ...FLAGS.keys(),
];

/** A point in time, as words: `4 2030/08/24 09:14:32`, seconds since 1970, or `never`. */
function readWhen(cursor: Cursor): string {
  const parts: string[] = [];
  do parts.push(readDatum(cursor, 'a date').text);
  while (!cursor.at(';') && cursor.peek().kind === 'word');
  return parts.join(' ');
}
