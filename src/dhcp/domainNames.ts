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

/** The bytes that `writeNames` needs: each label costs its length octet, each name its closing zero. */
export function namesLength(names: readonly string[]): number {
  return names.reduce((sum, name) => sum + name.length + 2, 0);
}

/** Writes names one after the other in DNS wire form (RFC 1035 section 3.1), uncompressed, which every client reads. */
export function writeNames(names: readonly string[], into: Uint8Array, start: number): void {
  let at = start;
  for (const name of names) {
    for (const label of name.split('.')) {
      into[at++] = label.length;
      for (let i = 0; i < label.length; i++) into[at++] = label.charCodeAt(i);
    }
    into[at++] = 0;
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
