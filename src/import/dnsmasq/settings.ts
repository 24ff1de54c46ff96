import type { Place } from '../../errors.ts';
import { quoted } from '../../site/finding.ts';
import { invalid } from '../invalid.ts';
import { OPTIONS } from './options.ts';

/** One part of a value, between commas. `quoted`: some of it stood in quotes, so that it is text whatever it looks like. */
export type Field = { readonly text: string; readonly place: Place; readonly quoted: boolean };

/** One line of a configuration: an option of dnsmasq(8) and its value cut at commas. */
export type Setting = {
  readonly keyword: string;
  readonly place: Place;
  readonly fields: readonly Field[];
  /** The line as it was written, without its comment. */
  readonly whole: string;
  /** dnsmasq passes the line over where it is wrong, as it does in files of hosts and options. */
  readonly lenient?: true;
};

/** `end`: the column behind it, which is one more where it was written with a backslash. */
type Sign = { readonly sign: string; readonly col: number; readonly end: number; readonly quoted: boolean };

const ESCAPES: { readonly [letter: string]: string } = { t: '\t', n: '\n', b: '\b', r: '\r', e: '\x1b' };
/** What dnsmasq refuses with nothing behind the `=`; other options do nothing then. */
const NEVER_EMPTY: ReadonlySet<string> = new Set([
  ...['dhcp-range', 'listen-address', 'dhcp-mac', 'dhcp-match', 'dhcp-vendorclass', 'dhcp-userclass', 'dhcp-circuitid'],
  ...['dhcp-remoteid', 'dhcp-subscrid', 'dhcp-name-match', 'pxe-service', 'tag-if', 'log-facility'],
]);
const MOST_LINES = 200_000;

/**
 * Reads one file: `option` or `option=value` on each line, `#` behind a blank for comments, double quotes with \\ \" \t \n
 * \b \r \e in them. Throws IMPORT_INVALID for what dnsmasq refuses as well: an unknown option, a value too many, one missing,
 * quotes without end.
 */
export function* settingsIn(file: string, text: string): Generator<Setting> {
  const lines = text.split('\n');
  if (lines.length > MOST_LINES)
    throw invalid({ file, line: 1, col: 1 }, `this file has more than ${MOST_LINES} lines`);
  for (const [i, line] of lines.entries()) {
    const signs = trimmed(signsOf(file, i + 1, line));
    const [first] = signs;
    if (first === undefined) continue;
    const equals = signs.findIndex(({ sign, quoted }) => sign === '=' && !quoted);
    const keyword = textOf(trimmed(equals < 0 ? signs : signs.slice(0, equals)));
    const place = { file, line: i + 1, col: first.col };
    const value = equals < 0 ? undefined : trimmed(signs.slice(equals + 1));
    checkForm(keyword, value, place);
    yield { keyword, place, fields: fieldsOf(value ?? [], place), whole: asWritten(line, signs) };
  }
}

/**
 * Reads a file that holds one value of `keyword` on each line (`dhcp-hostsfile`, `dhcp-optsfile`).
 */
export function* valuesIn(file: string, text: string, keyword: string): Generator<Setting> {
  for (const [i, line] of text.split('\n').entries()) {
    const signs = trimmed(signsOf(file, i + 1, line));
    const [first] = signs;
    if (first === undefined) continue;
    const place = { file, line: i + 1, col: first.col };
    yield {
      keyword,
      place,
      fields: fieldsOf(signs, place),
      whole: `${keyword}=${asWritten(line, signs)}`,
      lenient: true,
    };
  }
}

/** The part of a line that was read, quotes and all. */
function asWritten(line: string, signs: readonly Sign[]): string {
  const end = (signs.at(-1)?.end ?? 1) - 1;
  const start = (signs[0]?.col ?? 1) - 1;
  return line.slice(line[start - 1] === '"' ? start - 1 : start, line[end] === '"' ? end + 1 : end).trim();
}

function checkForm(keyword: string, value: readonly Sign[] | undefined, place: Place): void {
  const known = OPTIONS.get(keyword);
  if (known === undefined) {
    throw invalid(
      place,
      `dnsmasq has no option ${quoted(keyword)}`,
      'see `dnsmasq --help`; `dnsmasq --test` tells too',
    );
  }
  if (known.value === 'none' && value !== undefined && value.length > 0)
    throw invalid(place, `${keyword} takes no value`);
  const isEmpty = value === undefined || (value.length === 0 && NEVER_EMPTY.has(keyword));
  if (known.value === 'required' && isEmpty) {
    throw invalid(place, `${keyword} needs a value`);
  }
}

/** The signs of a line up to its comment, each with its column; what stands in quotes without them. */
function signsOf(file: string, line: number, text: string): readonly Sign[] {
  const signs: Sign[] = [];
  let open: number | undefined;
  let blank = true;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at] ?? '';
    const next = text[at + 1] ?? '';
    if (open !== undefined) {
      if (sign === '"') open = undefined;
      else if (sign === '\\' && (next in ESCAPES || next === '"' || next === '\\')) {
        signs.push({ sign: ESCAPES[next] ?? next, col: at + 1, end: at + 3, quoted: true });
        at++;
      } else signs.push({ sign, col: at + 1, end: at + 2, quoted: true });
      blank = false;
    } else if (sign === '"') open = at;
    else if (blank && sign === '#') break;
    else {
      blank = /\s/.test(sign);
      signs.push({ sign: blank ? ' ' : sign, col: at + 1, end: at + 2, quoted: false });
    }
  }
  if (open !== undefined) throw invalid({ file, line, col: open + 1 }, 'these quotes do not end', 'close them with "');
  return signs;
}

function fieldsOf(signs: readonly Sign[], place: Place): readonly Field[] {
  if (signs.length === 0) return [];
  const parts: Sign[][] = [[]];
  for (const sign of signs) {
    if (sign.sign === ',' && !sign.quoted) parts.push([]);
    else parts.at(-1)?.push(sign);
  }
  return parts.map(trimmed).map((part) => ({
    text: textOf(part),
    place: { ...place, col: part[0]?.col ?? place.col },
    quoted: part.some(({ quoted }) => quoted),
  }));
}

function trimmed(signs: readonly Sign[]): readonly Sign[] {
  const isBlank = ({ sign, quoted }: Sign) => sign === ' ' && !quoted;
  const from = signs.findIndex((sign) => !isBlank(sign));
  return from < 0 ? [] : signs.slice(from, signs.findLastIndex((sign) => !isBlank(sign)) + 1);
}

function textOf(signs: readonly Sign[]): string {
  return signs.map(({ sign }) => sign).join('');
}
