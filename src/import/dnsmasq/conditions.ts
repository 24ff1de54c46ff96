import type { ClassText } from './classText.ts';

export type Pattern = string | { readonly hex: string };

/** What a class asks of a machine: every key, and of each key any of its values. Without keys it is every machine. */
export type Asks = {
  readonly macs?: readonly string[];
  readonly vendorClass?: readonly Pattern[];
  readonly userClass?: readonly Pattern[];
  readonly arch?: readonly number[];
  readonly circuitId?: readonly Pattern[];
  readonly remoteId?: readonly Pattern[];
};

export type AsksKey = keyof Asks;

/** What a class asks for, in the order in which it is written. */
export const ASKS_KEYS = [
  'macs',
  'vendorClass',
  'userClass',
  'arch',
  'circuitId',
  'remoteId',
] as const satisfies readonly AsksKey[];

/** Two conditions of one kind whose common members no list of patterns can name. */
export class Unnameable extends Error {}

/** What the members of both ask for; `undefined` if no machine can be a member of both. Throws Unnameable. */
export function both(one: Asks, other: Asks): Asks | undefined {
  const joined: { [K in AsksKey]?: readonly (Pattern | number)[] } = {};
  for (const key of ASKS_KEYS) {
    const [mine, theirs] = [one[key], other[key]];
    if (mine === undefined && theirs === undefined) continue;
    const values = mine === undefined || theirs === undefined ? [...(mine ?? theirs ?? [])] : common(key, mine, theirs);
    if (values.length === 0) return undefined;
    joined[key] = values;
  }
  return joined as Asks;
}

/** The alternatives of a tag, those of one and the same kind as one condition with several values. */
export function joinAlternatives(all: readonly Asks[]): readonly Asks[] {
  const joined: Asks[] = [];
  const values = new Map<AsksKey, { readonly at: number; readonly all: Value[] }>();
  for (const asks of all) {
    const [key, ...more] = Object.keys(asks) as AsksKey[];
    const known = key === undefined || more.length > 0 ? undefined : values.get(key);
    if (known !== undefined && key !== undefined) for (const value of asks[key] ?? []) known.all.push(value);
    else {
      if (key !== undefined && more.length === 0) values.set(key, { at: joined.length, all: [...(asks[key] ?? [])] });
      joined.push(asks);
    }
  }
  for (const [key, { at, all: some }] of values) joined[at] = { [key]: unique(some) };
  return joined;
}

/** Writes what a class asks for, one value without a list where a reader expects it so. */
export function asksText(asks: Asks): ClassText {
  const text: { [key: string]: unknown } = {};
  for (const key of ASKS_KEYS) if (asks[key] !== undefined) text[key] = [...asks[key]];
  return text as ClassText;
}

type Value = Pattern | number;

function common(key: AsksKey, mine: readonly Value[], theirs: readonly Value[]): readonly Value[] {
  return unique(mine.flatMap((a) => theirs.flatMap((b) => commonOf(key, a, b))));
}

function unique(values: readonly Value[]): Value[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
}

function commonOf(key: AsksKey, a: Value, b: Value): readonly Value[] {
  if (JSON.stringify(a) === JSON.stringify(b)) return [a];
  if (typeof a === 'number' || typeof b === 'number') return [];
  if (typeof a !== 'string' || typeof b !== 'string') throw new Unnameable();
  if (key === 'macs') return commonMacs(a, b);
  if (a === '*') return [b];
  if (b === '*') return [a];
  const [inA, inB] = [a, b].map((text) => /^\*([^*?]+)\*$/.exec(text)?.[1]);
  if (inA !== undefined && inB !== undefined) return holdingBoth(inA, inB).map((text) => `*${text}*`);
  if (!/[*?]/.test(a)) return isHeld(a, b, inB) ? [a] : [];
  if (!/[*?]/.test(b)) return isHeld(b, a, inA) ? [b] : [];
  throw new Unnameable();
}

function isHeld(text: string, pattern: string, inner: string | undefined): boolean {
  if (inner !== undefined) return text.includes(inner);
  if (/[*?]/.test(pattern)) throw new Unnameable();
  return false;
}

function commonMacs(a: string, b: string): readonly string[] {
  const [startA, startB] = [a, b].map((text) => text.replace(/\*$/, ''));
  if (startA === undefined || startB === undefined) return [];
  if (a.endsWith('*') && startB.startsWith(startA)) return [b];
  return b.endsWith('*') && startA.startsWith(startB) ? [a] : [];
}

/** What stands around in any text that holds both: one behind the other, with anything between, or overlapping. */
function holdingBoth(a: string, b: string): readonly string[] {
  if (a.includes(b)) return [a];
  if (b.includes(a)) return [b];
  return [`${a}*${b}`, `${b}*${a}`, ...overlaps(a, b), ...overlaps(b, a)];
}

function overlaps(first: string, second: string): readonly string[] {
  const found: string[] = [];
  for (let shared = 1; shared < Math.min(first.length, second.length); shared++) {
    if (first.endsWith(second.slice(0, shared))) found.push(first + second.slice(shared));
  }
  return found;
}
