/** Which bytes of a body to send: all, one range (both ends included), or none because the range lies outside. */
export type Wanted =
  | { readonly kind: 'all' }
  | { readonly kind: 'part'; readonly first: number; readonly last: number }
  | { readonly kind: 'outside' };

const ALL: Wanted = { kind: 'all' };

/**
 * What `Range` asks of a body of `size` bytes (RFC 9110, section 14). A range in any form but one of bytes is ignored, as
 * is one whose `If-Range` does not hold `etag`, which is `undefined` for a body that may change without another one.
 */
export function wantedBytes(
  size: number,
  etag: string | undefined,
  range: string | undefined,
  ifRange: string | undefined,
): Wanted {
  if (range === undefined || (ifRange !== undefined && ifRange.trim() !== etag)) return ALL;
  const [, from, to] = /^bytes=[ \t]*([0-9]{0,300})-([0-9]{0,300})[ \t]*$/i.exec(range) ?? [];
  if (from === undefined || to === undefined || (from === '' && to === '')) return ALL;
  if (from === '') {
    const length = Math.min(Number(to), size);
    return length === 0 ? { kind: 'outside' } : { kind: 'part', first: size - length, last: size - 1 };
  }
  const first = Number(from);
  const last = to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (to !== '' && Number(to) < first) return ALL;
  return first >= size ? { kind: 'outside' } : { kind: 'part', first, last };
}

/** Whether `If-None-Match` names `etag` (weak comparison, RFC 9110, section 13.1.2). */
export function isKnown(etag: string | undefined, ifNoneMatch: string | undefined): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag);
}
