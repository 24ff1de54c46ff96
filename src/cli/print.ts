import { styleText } from 'node:util';
import { formatPlace, ReveilleError } from '../errors.ts';
import { escapeUnsafe, plainLines } from '../plainText.ts';
import type { NodeState } from '../timeline/status.ts';

type Colour = Parameters<typeof styleText>[0];

/** Asked once: it does not change while the program runs, and lines of a log are painted by the thousand. */
const COLOURED = styleText('bold', 'x', { stream: process.stdout, validateStream: true }) !== 'x';

/** Colours `text` where standard output is a terminal that wants colour, and leaves it alone elsewhere. */
export function paint(colour: Colour, text: string): string {
  return COLOURED ? styleText(colour, text, { validateStream: false }) : text;
}

export const STATE_COLOUR: { readonly [S in NodeState]: Colour } = {
  ready: 'green',
  booting: 'yellow',
  loaded: 'green',
  failed: 'red',
  unseen: 'dim',
  addressed: 'yellow',
  'address-only': 'dim',
};

/** An error as an operator reads it: where, what, and what to do. Foreign errors keep their stack for the report. */
export function errorText(error: unknown): string {
  if (!(error instanceof ReveilleError))
    return plainLines(error instanceof Error ? (error.stack ?? error.message) : String(error));
  const place = error.place ? `${formatPlace(error.place)}: ` : '';
  const hint = error.hint ? `\n  ${error.hint.replaceAll('\n', '\n  ')}` : '';
  return plainLines(`${place}${error.message}${hint} [${error.code}]`);
}

/** A value as JSON for standard output: indented, and without a character that a terminal would obey. */
export function jsonText(value: unknown): string {
  return escapeUnsafe(JSON.stringify(value, null, 2));
}

/** `20:31:07.123` in the machine's own time zone. */
export function clock(at: number): string {
  const time = new Date(at);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}

/** `2026-11-22 20:31:07` in the machine's own time zone. */
export function moment(at: number): string {
  return new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 19).replace('T', ' ');
}
