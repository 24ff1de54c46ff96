import { invalid } from '../../invalid.ts';
import type { Cursor } from './cursor.ts';
import { treatmentOf } from './statements.ts';
import type { Data, Datum } from './tree.ts';

/** Reads `10.0.0.1, 10.0.0.2` or `24 10.0.0.0 "text"` up to the `;` or what else ends a value; that stays. */
export function readData(cursor: Cursor): Data {
  const groups: Datum[][] = [];
  if (!startsDatum(cursor)) return groups;
  do {
    const group = [readDatum(cursor, 'a value')];
    while (startsDatum(cursor) && !startsStatement(cursor, group.at(-1))) group.push(readDatum(cursor, 'a value'));
    groups.push(group);
  } while (cursor.skip(','));
  return groups;
}

/** Reads one text, or words joined by `.`, `:` and `/`: a name, a number, an address, hex bytes. */
export function readDatum(cursor: Cursor, what: string): Datum {
  if (!startsDatum(cursor)) throw cursor.expected(what);
  const { place, kind, text, escaped } = cursor.take();
  if (kind === 'text') return { kind, text, place, ...(escaped === undefined ? {} : { escaped }) };
  const parts = [text];
  // Hex bytes may go on in the next line; dots join what stands side by side only.
  for (let last = text; ; ) {
    const next = cursor.peek();
    const joined = next.glued || LOOSE.has(last) || (next.kind === 'sign' && LOOSE.has(next.text));
    const isJoint = next.kind === 'sign' && JOINTS.has(next.text);
    if (!joined || !(isJoint || (next.kind === 'word' && JOINTS.has(last)))) break;
    parts.push(next.text);
    last = cursor.take().text;
  }
  return { kind: 'words', text: parts.join(''), place };
}

const JOINTS = new Set(['.', ':', '/']);
/** These may have blanks around them. */
const LOOSE = new Set([':', '/']);

/** In the next line a keyword is not part of the value: the semicolon before it is missing. */
function startsStatement(cursor: Cursor, last: Datum | undefined): boolean {
  const { text, place } = cursor.peek();
  return place.line !== last?.place.line && treatmentOf(text.toLowerCase()) !== undefined;
}

function startsDatum(cursor: Cursor): boolean {
  const { kind, text } = cursor.peek();
  return kind === 'word' || kind === 'text' || (kind === 'sign' && text === ':');
}

/** Hex bytes apart by colons (`1:8:0:2b`); throws IMPORT_INVALID for anything else. */
export function hexBytes(datum: Datum): Uint8Array {
  const parts = datum.text.split(':');
  const wrong = parts.find((part) => !/^[0-9A-Fa-f]{1,2}$/.test(part));
  if (wrong !== undefined || datum.kind === 'text') throw notHex(datum, wrong ?? datum.text);
  return Uint8Array.from(parts, (part) => Number.parseInt(part, 16));
}

/** What to tell of a byte that is none, in a value that has to be hex bytes. */
export function notHex({ place }: Pick<Datum, 'place'>, found: string): Error {
  const placeholder = /^(x+|y+|z+|\?+)$/i.test(found);
  const hint = placeholder ? 'write the real address in place of the placeholder' : 'such as 52:54:00:00:00:51';
  return invalid(place, `expected hex bytes apart by colons, found "${found}"`, hint);
}
