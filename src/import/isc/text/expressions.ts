import type { Place } from '../../../errors.ts';
import { invalid } from '../../invalid.ts';
import type { Cursor } from './cursor.ts';
import { hexBytes, notHex } from './data.ts';
import type { Expression, Operator, OptionName } from './tree.ts';

/** Reads an expression of dhcp-eval(5), up to what cannot belong to it. Throws IMPORT_INVALID. */
export function readExpression(cursor: Cursor): Expression {
  return cursor.nested(() => readBinary(cursor, 0));
}

/** Loosest first. `not` stands between `and` and the comparisons: `not option x = "y"` denies the comparison. */
const LEVELS: readonly (readonly Operator[])[] = [
  ['or'],
  ['and'],
  ['=', '!=', '~=', '~~'],
  ['+', '-', '&', '|', '^'],
  ['*', '/', '%'],
];
const NOT_LEVEL = 2;

function readBinary(cursor: Cursor, level: number): Expression {
  const operators = LEVELS[level];
  if (operators === undefined) return readOperand(cursor);
  const { place } = cursor.peek();
  if (level === NOT_LEVEL && cursor.skip('not')) {
    return { kind: 'not', of: cursor.nested(() => readBinary(cursor, NOT_LEVEL)), place };
  }
  const first = readBinary(cursor, level + 1);
  const [joint] = operators;
  if (joint === 'or' || joint === 'and') {
    const parts = [first];
    while (takeOperator(cursor, operators) !== undefined) parts.push(readBinary(cursor, level + 1));
    return balanced(joint, parts, place);
  }
  let left = first;
  for (let length = 0; ; length++) {
    const op = takeOperator(cursor, operators);
    if (op === undefined) return left;
    if (length > LONGEST_CHAIN) throw invalid(place, `more than ${LONGEST_CHAIN} operators stand in one expression`);
    left = { kind: 'binary', op, left, right: readBinary(cursor, level + 1), place };
  }
}

const LONGEST_CHAIN = 1000;

/** Joins parts from both ends alike, so that thousands of them, such as hardware addresses, do not make a tree as deep. */
function balanced(op: 'or' | 'and', parts: readonly Expression[], place: Place): Expression {
  const half = Math.ceil(parts.length / 2);
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const [left, right] = [balanced(op, parts.slice(0, half), place), balanced(op, parts.slice(half), place)];
  return { kind: 'binary', op, left, right, place };
}

function takeOperator(cursor: Cursor, operators: readonly Operator[]): Operator | undefined {
  const first = cursor.peek().text.toLowerCase();
  const op = operators.find((one) => one === first || (one.length === 2 && one[0] === first && !/[a-z]/.test(one)));
  if (op === undefined || cursor.peek().kind === 'text') return undefined;
  cursor.take();
  if (op === first) return op;
  // `!=`, `~=` and `~~` come as two signs.
  const second = operators.find((one) => one[0] === first && cursor.at(one[1] ?? ''));
  if (second === undefined) throw cursor.expected(`"=" behind "${first}"`);
  cursor.take();
  return second;
}

function readOperand(cursor: Cursor): Expression {
  const { kind, text, place, escaped } = cursor.peek();
  if (kind === 'text') {
    cursor.take();
    return { kind: 'text', text, place, ...(escaped === undefined ? {} : { escaped }) };
  }
  if (cursor.skip('(')) {
    const inner = readExpression(cursor);
    cursor.expect(')', 'after the expression');
    return inner;
  }
  if (kind !== 'word') throw cursor.expected('an expression');
  cursor.take();
  const word = text.toLowerCase();
  if (cursor.at(':')) return readBytes(cursor, text, place);
  if (/^(0x[0-9a-f]+|-?[0-9]+)$/.test(word)) return { kind: 'number', value: Number(word), place };
  const from = OPTION_WORDS.get(word);
  if (from !== undefined) {
    if (from === 'exists') cursor.skip('option');
    return { kind: 'option', option: readOptionName(cursor), from, place };
  }
  if (cursor.at('(')) return { kind: 'call', name: word, arguments: readArguments(cursor), place };
  return { kind: 'word', word, place };
}

const OPTION_WORDS = new Map([
  ['option', 'packet'],
  ['config-option', 'config'],
  ['exists', 'exists'],
] as const) as ReadonlyMap<string, 'packet' | 'config' | 'exists'>;

/** `(a, b)`. */
export function readArguments(cursor: Cursor): readonly Expression[] {
  cursor.expect('(', 'before the arguments');
  const list: Expression[] = [];
  if (cursor.skip(')')) return list;
  do list.push(readExpression(cursor));
  while (cursor.skip(','));
  cursor.expect(')', 'after the arguments');
  return list;
}

/** `NAME` or `SPACE.NAME`. */
export function readOptionName(cursor: Cursor): OptionName {
  const first = cursor.word("an option's name");
  return cursor.skip('.') ? { space: first, name: cursor.word("an option's name") } : { space: 'dhcp', name: first };
}

/** Hex bytes whose first has been taken. A colon that no byte follows ends them: it belongs to `case 1:`. */
function readBytes(cursor: Cursor, first: string, place: Expression['place']): Expression {
  const isByte = (text: string) => /^[0-9A-Fa-f]{1,2}$/.test(text);
  if (!isByte(first)) throw notHex({ place }, first);
  const parts = [first];
  while (cursor.at(':')) {
    const colon = cursor.take();
    const { kind, text } = cursor.peek();
    if (kind === 'word' && isByte(text)) parts.push(cursor.take().text);
    else if (kind === 'word' && colon.glued && cursor.peek().glued) throw notHex(cursor.peek(), text);
    else if (parts.length === 1 && /^[0-9]+$/.test(first)) {
      return { kind: 'number', value: Number(first), place, endsInColon: true };
    } else return { kind: 'bytes', bytes: bytesOf(parts, place), place, endsInColon: true };
  }
  return { kind: 'bytes', bytes: bytesOf(parts, place), place };
}

function bytesOf(parts: readonly string[], place: Expression['place']): Uint8Array {
  return hexBytes({ kind: 'words', text: parts.join(':'), place });
}

/** The words that begin an expression where a value could stand as well. */
export const STARTS_EXPRESSION = new Set(
  `binary-to-ascii concat config-option encode-int extract-int gethostbyname gethostname hardware host-decl-name
   lcase leased-address option packet pick pick-first-value reverse substring suffix ucase`.split(/\s+/),
);
