import { FIRMWARE_BY_TYPE } from '../../../model/firmware.ts';
import { formatHex } from '../text/hex.ts';
import { showExpression } from '../text/show.ts';
import type { Expression } from '../text/tree.ts';
import type { Conditions, Pattern } from './classConditions.ts';
import { textBytes } from './optionValues.ts';
import type { Reading } from './reading.ts';

/**
 * The conditions under which an expression holds, as alternatives of which one has to hold; `undefined` if classes
 * cannot say it. Nothing that is said is left out: an alternative holds for the same clients.
 */
export function conditionsOf(expression: Expression, reading: Reading): readonly Conditions[] | undefined {
  if (expression.kind === 'option' && expression.from === 'exists') return exists(expression, reading);
  if (expression.kind !== 'binary') return undefined;
  const { op, left, right } = expression;
  if (op === 'or') {
    const [a, b] = [conditionsOf(left, reading), conditionsOf(right, reading)];
    return a && b && either(a, b);
  }
  if (op === 'and') {
    const [a, b] = [conditionsOf(left, reading), conditionsOf(right, reading)];
    return a && b && both(a, b);
  }
  if (op === '=') return equality(left, right, reading) ?? equality(right, left, reading);
  return op === '~=' ? regular(left, right, reading) : undefined;
}

type Subject = 'hardware' | 'vendorClass' | 'userClass' | 'circuitId' | 'remoteId' | 'arch';

/** What a class can look at, by the option's space and number. */
const SUBJECTS: ReadonlyMap<string, Subject> = new Map([
  ['dhcp 60', 'vendorClass'],
  ['dhcp 77', 'userClass'],
  ['dhcp 93', 'arch'],
  ['agent 1', 'circuitId'],
  ['agent 2', 'remoteId'],
]);

/** The part of what a client says that an expression looks at. */
type Look = {
  /** Of a look at numbers in text (`binary-to-ascii`): the bytes that such a text stands for. */
  readonly ascii?: (constant: Expression) => Uint8Array | undefined;
  readonly subject: Subject;
  /** First byte, and how many at most; from the end where `fromEnd` says so. */
  readonly offset: number;
  readonly length: number;
  readonly fromEnd: boolean;
};

function lookOf(expression: Expression, reading: Reading): Look | undefined {
  const whole = { offset: 0, length: Number.POSITIVE_INFINITY, fromEnd: false };
  if (expression.kind === 'word') return expression.word === 'hardware' ? { subject: 'hardware', ...whole } : undefined;
  if (expression.kind === 'option' && expression.from === 'packet') {
    const known = reading.options.find(expression.option);
    const subject = SUBJECTS.get(`${expression.option.space.toLowerCase()} ${known?.code}`);
    return subject === undefined ? undefined : { subject, ...whole };
  }
  if (expression.kind !== 'call') return undefined;
  const [of, first, second] = expression.arguments;
  if (of === undefined) return undefined;
  // The number of option 93 is the whole of it.
  if (expression.name === 'extract-int') {
    const look = lookOf(of, reading);
    return look?.subject === 'arch' && first?.kind === 'number' && first.value === 16 ? look : undefined;
  }
  if (expression.name === 'pick-first-value' || expression.name === 'pick') {
    // The client identifier comes first in most of these, and holds the card's address in most clients.
    const last = expression.arguments.at(-1);
    if (last?.kind !== 'word') return undefined;
    const why = 'members are known by their hardware address, whatever client identifier they send';
    reading.tellOf('changed', expression.place, showExpression(expression), why);
    return lookOf(last, reading);
  }
  const look = lookOf(of, reading);
  if (look === undefined || look.fromEnd || look.length !== Number.POSITIVE_INFINITY || first?.kind !== 'number') {
    return undefined;
  }
  if (expression.name === 'substring' && second?.kind === 'number') {
    return { ...look, offset: first.value, length: second.value };
  }
  return expression.name === 'suffix' ? { ...look, length: first.value, fromEnd: true } : undefined;
}

function equality(look: Expression, constant: Expression, reading: Reading): readonly Conditions[] | undefined {
  const seen = lookOf(look, reading) ?? asciiLook(look, reading);
  if (seen === undefined) return undefined;
  if (seen.subject === 'arch') return architecture(seen, constant);
  const bytes = seen.ascii !== undefined ? seen.ascii(constant) : bytesOf(constant);
  if (bytes === undefined) return undefined;
  if (seen.subject === 'hardware') return hardware(seen, bytes);
  const pattern = patternOf(seen, bytes, constant);
  return pattern === undefined ? undefined : [{ [seen.subject]: [pattern] }];
}

function bytesOf(constant: Expression): Uint8Array | undefined {
  if (constant.kind === 'text') return textBytes(constant);
  if (constant.kind === 'bytes') return constant.bytes;
  return constant.kind === 'number' && constant.value >= 0 && constant.value < 256
    ? Uint8Array.of(constant.value)
    : undefined;
}

/** `binary-to-ascii (16, 8, ":", LOOK)`, which is compared with text: `0:1a:4b`. */
function asciiLook(expression: Expression, reading: Reading): Look | undefined {
  if (expression.kind !== 'call' || expression.name !== 'binary-to-ascii') return undefined;
  const [base, width, separator, of] = expression.arguments;
  if (base?.kind !== 'number' || width?.kind !== 'number' || separator?.kind !== 'text' || of === undefined)
    return undefined;
  const look = lookOf(of, reading);
  if (look === undefined || width.value !== 8 || separator.text === '') return undefined;
  const ascii = (constant: Expression): Uint8Array | undefined => {
    if (constant.kind !== 'text') return undefined;
    const numbers = constant.text.split(separator.text).map((part) => Number.parseInt(part, base.value));
    return numbers.every((value) => value >= 0 && value < 256) ? Uint8Array.from(numbers) : undefined;
  };
  return { ...look, ascii };
}

/** The hardware is a byte for its type (1: Ethernet), then the address. */
function hardware({ offset, length, fromEnd }: Look, bytes: Uint8Array): readonly Conditions[] | undefined {
  if (fromEnd || offset > 1) return undefined;
  const address = offset === 0 ? bytes.slice(1) : bytes;
  if (offset === 0 && bytes[0] !== 1) return undefined;
  // What is shorter than the part that is looked at is all of it, and no address is that short.
  const isWhole = address.length === 6;
  if (address.length === 0 || address.length > 6 || (!isWhole && length !== bytes.length)) return undefined;
  return [{ macs: [isWhole ? formatHex(address) : `${formatHex(address)}:*`] }];
}

/** Where the bytes have to stand: `*` for what may follow, `?` for each byte before. */
function patternOf({ offset, length, fromEnd }: Look, bytes: Uint8Array, constant: Expression): Pattern | undefined {
  if (bytes.length === 0 || bytes.length > length || !isLength(offset)) return undefined;
  if (!isLength(offset + bytes.length)) return undefined;
  const isOpen = bytes.length === length;
  const before = fromEnd ? (isOpen ? '*' : '') : '?'.repeat(offset);
  const after = !fromEnd && isOpen ? '*' : '';
  const text = constant.kind === 'text' && !constant.escaped ? constant.text : undefined;
  if (text !== undefined && !/[*?]/.test(text)) return `${before}${text}${after}`;
  const hex = [...before].map((sign) => (sign === '?' ? '??' : sign));
  return { hex: [...hex, formatHex(bytes), ...after].join(':') };
}

/** An option is not longer than this. */
function isLength(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 255;
}

function architecture({ offset, length, fromEnd }: Look, constant: Expression): readonly Conditions[] | undefined {
  if (offset !== 0 || length < 2 || fromEnd) return undefined;
  if (constant.kind === 'number') return [{ arch: [constant.value] }];
  const bytes = bytesOf(constant);
  if (bytes?.length !== 2) return undefined;
  return [{ arch: [(bytes[0] ?? 0) * 256 + (bytes[1] ?? 0)] }];
}

/** What any value fits that is there. */
const SOMETHING = '?*';

function exists(expression: Expression, reading: Reading): readonly Conditions[] | undefined {
  if (expression.kind !== 'option') return undefined;
  const look = lookOf({ ...expression, from: 'packet' }, reading);
  if (look === undefined || look.subject === 'hardware' || look.subject === 'arch') return undefined;
  return [{ [look.subject]: [SOMETHING] }];
}

/** A regular expression of plain signs, `.` and `.*`, perhaps tied to the beginning or the end. */
function regular(look: Expression, constant: Expression, reading: Reading): readonly Conditions[] | undefined {
  const seen = lookOf(look, reading);
  if (seen === undefined || seen.subject === 'hardware' || seen.subject === 'arch' || constant.kind !== 'text')
    return undefined;
  if (seen.offset !== 0 || seen.length !== Number.POSITIVE_INFINITY) return undefined;
  const parts = /^(\^?)((?:[A-Za-z0-9 _:,;/-]|\.\*?|\\[.+()[\]{}|^$])+)(\$?)$/.exec(constant.text);
  if (parts === null) return undefined;
  const [, start, middle = '', end] = parts;
  const glob = middle.replace(/\\(.)|\.\*|\./g, (found, plain?: string) => plain ?? (found === '.' ? '?' : '*'));
  const pattern = `${start === '^' ? '' : '*'}${glob}${end === '$' ? '' : '*'}`.replace(/\*+/g, '*');
  return isLength(Buffer.byteLength(pattern))
    ? [{ [seen.subject]: [pattern === '*' ? SOMETHING : pattern] }]
    : undefined;
}

/** Any of these or of those; alternatives that differ in one kind of condition become one. */
export function either(a: readonly Conditions[], b: readonly Conditions[]): readonly Conditions[] {
  const all: Conditions[] = [...a];
  for (const next of b) {
    const i = all.findIndex((one) => canJoin(one, next));
    const one = all[i];
    if (one === undefined) all.push(next);
    else all[i] = joined(one, next);
  }
  return all;
}

function canJoin(a: Conditions, b: Conditions): boolean {
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])] as (keyof Conditions)[];
  const different = keys.filter((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]));
  return different.length < 2 && different.every((key) => a[key] !== undefined && b[key] !== undefined);
}

function joined(a: Conditions, b: Conditions): Conditions {
  const merged: Record<string, readonly unknown[]> = { ...a };
  for (const [key, values] of Object.entries(b)) {
    const known = merged[key] ?? [];
    const texts = new Set(known.map((value) => JSON.stringify(value)));
    merged[key] = [...known, ...values.filter((value) => !texts.has(JSON.stringify(value)))];
  }
  return merged as Conditions;
}

/** These and those; `undefined` if both say something of one kind that no pattern can say at once. */
export function both(a: readonly Conditions[], b: readonly Conditions[]): readonly Conditions[] | undefined {
  const all: Conditions[] = [];
  for (const one of a) {
    for (const other of b) {
      const met = meet(one, other);
      if (met === undefined) return undefined;
      if (met !== NOBODY && !all.includes(met)) all.push(met);
    }
  }
  return all;
}

const NOBODY: unique symbol = Symbol('conditions that no client fits');

function meet(a: Conditions, b: Conditions): Conditions | typeof NOBODY | undefined {
  const merged: Record<string, readonly (string | number | Pattern)[]> = { ...a };
  for (const [key, values] of Object.entries(b) as [string, readonly (string | number | Pattern)[]][]) {
    const known = merged[key];
    if (known === undefined) {
      merged[key] = values;
      continue;
    }
    const pairs = known.flatMap((one) =>
      values.map((other) => (key === 'arch' ? same(one, other) : overlay(one, other))),
    );
    if (pairs.includes(undefined)) return undefined;
    const met = pairs.filter((pair) => pair !== NOBODY && pair !== undefined) as (string | number | Pattern)[];
    if (met.length === 0) return NOBODY;
    merged[key] = [...new Set(met)];
  }
  return merged as Conditions;
}

function same(a: unknown, b: unknown): string | number | typeof NOBODY {
  return a === b ? (a as string | number) : NOBODY;
}

/** The pattern of what fits both, where each is fixed signs and `?`, perhaps with `*` behind them. */
function overlay(a: Pattern | number, b: Pattern | number): Pattern | typeof NOBODY | undefined {
  // Hex stands for a byte at least.
  if (a === SOMETHING && typeof b === 'object') return b;
  if (b === SOMETHING && typeof a === 'object') return a;
  if (typeof a !== 'string' || typeof b !== 'string') return undefined;
  const [one, other] = [a, b].map((text) => /^([^*]*)(\*?)$/.exec(text)) as (RegExpExecArray | null)[];
  if (!one || !other) return undefined;
  const [, left = '', leftOpen] = one;
  const [, right = '', rightOpen] = other;
  const length = Math.max(left.length, right.length);
  if ((left.length < length && leftOpen === '') || (right.length < length && rightOpen === '')) return NOBODY;
  let met = '';
  for (let i = 0; i < length; i++) {
    const [x = '?', y = '?'] = [left[i], right[i]];
    if (x !== '?' && y !== '?' && x !== y) return NOBODY;
    met += x === '?' ? y : x;
  }
  return met + (leftOpen !== '' && rightOpen !== '' ? '*' : '');
}

/** The numbers of option 93 for each kind of firmware. */
const TYPES = Map.groupBy(Object.keys(FIRMWARE_BY_TYPE).map(Number), (type) => FIRMWARE_BY_TYPE[type] ?? 'unknown');

/** The same conditions, with the word for a kind of firmware in place of all of its numbers. */
export function withFirmwareWords(conditions: Conditions): Conditions {
  const { arch } = conditions;
  if (arch === undefined) return conditions;
  const whole = [...TYPES].filter(([, types]) => types.every((type) => arch.includes(type)));
  const words = arch.map((value) => whole.find(([, types]) => types.some((type) => type === value))?.[0] ?? value);
  return { ...conditions, arch: [...new Set(words)] };
}
