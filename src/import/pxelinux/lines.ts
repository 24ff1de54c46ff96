import type { Place } from '../../errors.ts';
import type { Said } from './config.ts';

/** One line: its keyword in small letters and what stands behind it. */
export type Line = {
  readonly keyword: string;
  readonly rest: Said;
  readonly place: Place;
  readonly whole: string;
  /** What stands behind the keyword, last blanks included. */
  readonly tail: string;
};

/** The lines that are neither empty nor comments. */
export function* linesOf(file: string, text: string): Generator<Line> {
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.replace(/\r.*$/s, '');
    const [, blank = '', keyword = '', gap = '', rest = ''] =
      /^([ \t\f\v]*)([^ \t\f\v]*)([ \t\f\v]*)(.*)$/.exec(line) ?? [];
    if (keyword === '' || keyword.startsWith('#')) continue;
    const at = (col: number): Place => ({ file, line: i + 1, col });
    const col = blank.length + 1;
    const restCol = rest === '' ? col : col + keyword.length + gap.length;
    yield {
      keyword: keyword.toLowerCase(),
      rest: { value: rest.trimEnd(), place: at(restCol) },
      place: at(col),
      whole: line.trim(),
      tail: rest,
    };
  }
}

/** What stands behind `menu`: its own keyword, and the rest. */
export function secondWord({ rest }: Line): { keyword: string; rest: Said } {
  const [, keyword = '', gap = '', value = ''] = /^(\S*)(\s*)(.*)$/.exec(rest.value) ?? [];
  const { file, line, col } = rest.place;
  return {
    keyword: keyword.toLowerCase(),
    rest: { value, place: { file, line, col: value === '' ? col : col + keyword.length + gap.length } },
  };
}

/** The words of a line; what stands in double quotes stays together, as the kernel reads it. */
export function words(text: string): string[] {
  return text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
}

/** The leading digits, as C reads them; 0 without any. */
export function wholeNumber(text: string): number {
  return Math.min(Number.parseInt(/^\+?(\d{1,9})/.exec(text)?.[1] ?? '0', 10), 1e9);
}

/** Decimal, or hexadecimal behind 0x. */
export function bits({ value }: Said): number {
  const number = /^0x[0-9a-f]{1,5}/i.test(value) ? Number(/^0x[0-9a-f]{1,5}/i.exec(value)?.[0]) : wholeNumber(value);
  return number & 0x3ffff;
}

/** `^` marks the letter that chooses an entry. */
export function withoutHotkey(title: string): string {
  return title
    .replaceAll('^', '')
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
}
