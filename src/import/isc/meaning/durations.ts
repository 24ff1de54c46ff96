import { INFINITE } from './words.ts';

const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
] as const;

/** Seconds as an operator writes them: `2h`, `1h30m`, `infinite`. */
export function writtenDuration(seconds: number): string {
  if (seconds >= INFINITE) return 'infinite';
  let left = seconds;
  const parts: string[] = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(`${count}${unit}`);
  }
  // A day and less is written in hours.
  return seconds === 86_400 ? '24h' : parts.join('') || '0s';
}
