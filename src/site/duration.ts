/** Longest first, each unit at most once: `1h30m`. */
const SPELLING = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const UNIT_MS = [86_400_000, 3_600_000, 60_000, 1000, 1];

/** The spelling for JSON Schema, with plain seconds too. */
export const DURATION_PATTERN = '^(\\d+|(?=.)(\\d+d)?(\\d+h)?(\\d+m)?(\\d+s)?(\\d+ms)?)$';

/** Reads `2h`, `30m`, `90s`, `1h30m`, `500ms` or plain seconds, as milliseconds; `undefined` if it is none of them. */
export function parseDuration(text: string): number | undefined {
  if (/^\d+$/.test(text)) return bounded(Number(text) * 1000);
  const parts = text === '' ? null : SPELLING.exec(text);
  if (parts === null) return undefined;
  return bounded(UNIT_MS.reduce((sum, unit, i) => sum + Number(parts[i + 1] ?? 0) * unit, 0));
}

function bounded(ms: number): number | undefined {
  return Number.isSafeInteger(ms) ? ms : undefined;
}
