/**
 * Bytes with wildcards, as a class compares them with an option: each item is a byte, `ANY_BYTE`, or `ANY_BYTES` (any number
 * of them, none included).
 */
export type BytePattern = Int16Array;

export const ANY_BYTE = -1;
export const ANY_BYTES = -2;

/** What an option of DHCP holds in one piece. Whatever is longer is no machine's name and matches nothing. */
const LONGEST = 255;

/** Text in which `*` stands for any bytes and `?` for one. `undefined` if it is empty or longer than an option. */
export function textPattern(text: string): BytePattern | undefined {
  const items = text.split(/([*?])/).flatMap((part) => {
    if (part === '*') return [ANY_BYTES];
    return part === '?' ? [ANY_BYTE] : [...Buffer.from(part)];
  });
  return ofGoodLength(items);
}

/** Bytes in hex (`00:04:01`, `000401`); a `*` stands for any bytes and `??` for one: `00:04:*`. `undefined` if malformed. */
export function hexPattern(text: string): BytePattern | undefined {
  const packed = text.trim().replaceAll(':', '');
  if (!/^([0-9a-f]{2}|\?\?|\*)+$/i.test(packed)) return undefined;
  const items = packed.match(/[0-9a-f]{2}|\?\?|\*/gi) ?? [];
  return ofGoodLength(
    items.map((item) => (item === '*' ? ANY_BYTES : item === '??' ? ANY_BYTE : Number.parseInt(item, 16))),
  );
}

function ofGoodLength(items: readonly number[]): BytePattern | undefined {
  return items.length > 0 && items.length <= LONGEST ? Int16Array.from(items) : undefined;
}

/** Whether all of `bytes` fits the pattern. At most 255 x 255 steps, whatever a client sends; allocates nothing. */
export function matches(pattern: BytePattern, bytes: Uint8Array): boolean {
  if (bytes.length > LONGEST) return false;
  let at = 0;
  let item = 0;
  // Where the last `*` stands, and the first byte that it has not swallowed: there it goes on when the rest does not fit.
  let star = -1;
  let resume = 0;
  while (at < bytes.length) {
    if (pattern[item] === ANY_BYTES) {
      star = item++;
      resume = at;
    } else if (item < pattern.length && (pattern[item] === ANY_BYTE || pattern[item] === bytes[at])) {
      item++;
      at++;
    } else if (star >= 0) {
      item = star + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[item] === ANY_BYTES) item++;
  return item === pattern.length;
}
