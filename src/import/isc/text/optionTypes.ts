import type { Cursor } from './cursor.ts';
import type { OptionType } from './tree.ts';

/** Reads the type of an option definition, behind its `=`: `array of ip-address`, `{ boolean, text }` ... */
export function readOptionType(cursor: Cursor): OptionType {
  return cursor.nested(() => readType(cursor));
}

const SIMPLE: ReadonlyMap<string, OptionType> = new Map<string, OptionType>([
  ['boolean', { kind: 'flag' }],
  ['ip-address', { kind: 'ip' }],
  ['ip6-address', { kind: 'ip6' }],
  ['text', { kind: 'text' }],
  ['string', { kind: 'string' }],
  ['domain-name', { kind: 'domain' }],
  ['zerolen', { kind: 'nothing' }],
]);

function readType(cursor: Cursor): OptionType {
  if (cursor.skip('{')) {
    const parts: OptionType[] = [];
    do parts.push(readOptionType(cursor));
    while (cursor.skip(','));
    cursor.expect('}', 'after the parts of the record');
    return { kind: 'record', parts };
  }
  if (cursor.skip('array')) {
    cursor.expect('of', 'after "array"');
    return { kind: 'array', of: readOptionType(cursor) };
  }
  if (cursor.skip('encapsulate')) return { kind: 'space', space: cursor.name('the name of an option space') };
  if (cursor.skip('domain-list')) {
    cursor.skip('compressed');
    return { kind: 'domains' };
  }
  const sign = cursor.skip('signed') ? 'signed' : cursor.skip('unsigned') ? 'unsigned' : undefined;
  if (cursor.skip('integer')) return { kind: 'integer', bits: readWidth(cursor), signed: sign === 'signed' };
  const simple = SIMPLE.get(cursor.peek().text.toLowerCase());
  if (simple === undefined || sign !== undefined) throw cursor.expected('the type of an option', TYPES);
  cursor.take();
  return simple;
}

function readWidth(cursor: Cursor): 8 | 16 | 32 {
  for (const bits of [8, 16, 32] as const) if (cursor.skip(String(bits))) return bits;
  throw cursor.expected('8, 16 or 32 bits');
}

const TYPES =
  'boolean, integer 8/16/32, ip-address, text, string, domain-name, domain-list, encapsulate SPACE, array of TYPE, { TYPE, TYPE }';
