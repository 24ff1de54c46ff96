const LONGEST_LABEL = 63;
const LONGEST_NAME = 253;
/** A payload is at most a packet long; without a bound, pointers could make few bytes into very many names. */
const MOST_NAMES = 64;

/** Whether `written` is a name that fits the DNS wire form: labels of 1 to 63 printable ASCII bytes, 253 in all. */
export function isDomainName(written: unknown): written is string {
  return (
    typeof written === 'string' &&
    written.length <= LONGEST_NAME &&
    written.split('.').every((label) => label.length <= LONGEST_LABEL && /^[\x21-\x7e]+$/.test(label))
  );
}

/** How names are written: each on its own, or so that what ends like one before it points there (RFC 1035 section 4.1.4). */
export type NameForm = 'plain' | 'compressed';

/** The bytes that `writeNames` needs. */
export function namesLength(names: readonly string[], form: NameForm): number {
  let length = 0;
  for (const { labels, isPointed } of written(names, form)) {
    for (const label of labels) length += 1 + label.length;
    length += isPointed ? 2 : 1;
  }
  return length;
}

/** Writes names one after the other in DNS wire form (RFC 1035 section 3.1). */
export function writeNames(names: readonly string[], form: NameForm, into: Uint8Array, start: number): void {
  let at = start;
  for (const { labels, isPointed, pointer } of written(names, form)) {
    for (const label of labels) {
      into[at++] = label.length;
      for (let i = 0; i < label.length; i++) into[at++] = label.charCodeAt(i);
    }
    if (isPointed) into[at++] = 0xc0 | (pointer >> 8);
    into[at++] = isPointed ? pointer & 0xff : 0;
  }
}

/** Pointers have 14 bits. */
const FURTHEST = 0x3fff;

type Written = { readonly labels: readonly string[]; readonly isPointed: boolean; readonly pointer: number };

/** Of each name the labels that are written out, and where the rest of it stands already. */
function* written(names: readonly string[], form: NameForm): Generator<Written> {
  const places = new Map<string, number>();
  let at = 0;
  for (const name of names) {
    const labels: string[] = [];
    let rest = name;
    let pointer = places.get(rest);
    while (rest !== '' && pointer === undefined) {
      if (form === 'compressed' && at <= FURTHEST) places.set(rest, at);
      const dot = rest.indexOf('.');
      const label = dot < 0 ? rest : rest.slice(0, dot);
      labels.push(label);
      at += 1 + label.length;
      rest = dot < 0 ? '' : rest.slice(dot + 1);
      pointer = places.get(rest);
    }
    at += pointer === undefined ? 1 : 2;
    yield { labels, isPointed: pointer !== undefined, pointer: pointer ?? 0 };
  }
}

/**
 * The names in `bytes`, compression pointers followed (RFC 3397 section 2: offsets count from the payload's start). A
 * pointer must go backwards, so reading always ends. `undefined` if anything is out of place.
 */
export function decodeNames(bytes: Uint8Array): readonly string[] | undefined {
  const names: string[] = [];
  let at = 0;
  while (at < bytes.length) {
    const read = readName(bytes, at);
    if (!read || names.length === MOST_NAMES) return undefined;
    names.push(read.name);
    at = read.end;
  }
  return names.length > 0 ? names : undefined;
}

function readName(bytes: Uint8Array, start: number): { readonly name: string; readonly end: number } | undefined {
  let name = '';
  let at = start;
  let earliest = start;
  let end: number | undefined;
  for (;;) {
    const length = bytes[at];
    if (length === undefined) return undefined;
    if (length >= 0xc0) {
      const low = bytes[at + 1];
      const target = (length & 0x3f) * 256 + (low ?? 0);
      if (low === undefined || target >= earliest) return undefined;
      end ??= at + 2;
      earliest = target;
      at = target;
    } else if (length > LONGEST_LABEL || at + length >= bytes.length) {
      return undefined;
    } else if (length === 0) {
      return isDomainName(name) ? { name, end: end ?? at + 1 } : undefined;
    } else {
      const label = String.fromCharCode(...bytes.subarray(at + 1, at + 1 + length));
      name += name === '' ? label : `.${label}`;
      if (label.includes('.') || name.length > LONGEST_NAME) return undefined;
      at += 1 + length;
    }
  }
}
