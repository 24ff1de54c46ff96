import { z } from 'zod';
import { type Ipv4Range, netmaskOf, parseIpv4, parseRange, parseSubnet } from '../model/ipv4.ts';
import { parseMac } from '../model/mac.ts';
import type { Var } from '../model/node.ts';
import { readBrackets } from './brackets.ts';
import { DURATION_PATTERN, parseDuration } from './duration.ts';
import { didYouMean, quoted } from './finding.ts';
import { mistyped } from './shape.ts';

// The forms that values in a site take, and the messages for values of other forms. The second line of a message is its hint; the
// message of an unknown key lists the known ones (see `hold` in shape.ts).

type Spelling<T> = {
  /** With its article: `an IPv4 address`. */
  readonly what: string;
  readonly example: string;
  readonly parse: (text: string) => T | undefined;
  readonly pattern?: string;
  /** The hint for a text that does not parse; the example unless given. */
  readonly hint?: (text: string) => string | undefined;
};

/** Text that is parsed into a value. */
export function spelled<T>({ what, example, parse, pattern, hint }: Spelling<T>) {
  return z
    .string({ error: ({ input }) => `${mistyped(what, input)}\nsuch as ${example}` })
    .meta({ examples: [example], ...(pattern === undefined ? {} : { pattern }) })
    .transform((text, context) => {
      const value = parse(text);
      if (value !== undefined) return value;
      const message = `${quoted(text)} is not ${what}\n${hint?.(text) ?? `such as ${example}`}`;
      context.issues.push({ code: 'custom', message, input: text });
      return z.NEVER;
    });
}

/** Text that must match a pattern, and stays text. */
export function matching(what: string, example: string, pattern: RegExp) {
  return spelled({ what, example, pattern: pattern.source, parse: (text) => (pattern.test(text) ? text : undefined) });
}

export function listOf<T extends z.ZodType>(item: T, what: string) {
  return z.array(item, { error: ({ input }) => `${mistyped(`a list of ${what}`, input)}${asList(input)}` });
}

function asList(input: unknown): string {
  return typeof input === 'string' || typeof input === 'number' ? `\nwrite it as a list: [${input}]` : '';
}

/** One, or a list of them; always a list once read. */
export function oneOrMore<O, I>(item: z.ZodType<O, I>, what: string, plural: string) {
  return z.union([item.transform((value) => [value]), z.array(item)], {
    error: ({ input }) => mistyped(`${what} or a list of ${plural}`, input),
  });
}

/** A map with these keys and no others. */
export function keyed<S extends z.core.$ZodShape>(shape: S, what: string) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? Object.keys(shape).join(' ') : mistyped(what, issue.input)),
  });
}

/** A map whose keys are names that the operator chooses. The names are checked when they resolve. */
export function named<T extends z.ZodType>(value: T, what: string, pattern: RegExp) {
  return z
    .record(z.string(), value, { error: ({ input }) => mistyped(`a map of ${what}`, input) })
    .meta({ propertyNames: { pattern: pattern.source } });
}

export function choice<const T extends readonly [string, ...string[]]>(...values: T) {
  return z.enum(values, { error: ({ input }) => notOneOf(values, input) });
}

export function notOneOf(values: readonly string[], input: unknown): string {
  const list = `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
  return typeof input === 'string'
    ? `${quoted(input)} is not one of ${list}\n${didYouMean(input, values) ?? ''}`
    : mistyped(list, input);
}

export function whole(what: string, least: number, most: number) {
  const error = ({ input }: { input?: unknown }) =>
    typeof input === 'number' ? `${input} is not ${what} from ${least} to ${most}` : mistyped(what, input);
  return z.int({ error }).min(least, { error }).max(most, { error });
}

export const yesOrNo = z.boolean({ error: ({ input }) => mistyped('true or false', input) });

/** A duration in milliseconds: text with units, or a number of seconds. */
export function duration(example: string, least: number, most: number) {
  const limits = `from ${least / 1000} to ${most / 1000} seconds`;
  return z
    .union([spelledDuration(example), z.number().transform((seconds) => Math.round(seconds * 1000))], {
      error: ({ input }) => `${mistyped('a duration', input)}\nsuch as ${example}`,
    })
    .refine((ms) => ms >= least && ms <= most, { error: `out of bounds: expected a duration ${limits}` });
}

function spelledDuration(example: string) {
  return spelled({ what: 'a duration', example, parse: parseDuration, pattern: DURATION_PATTERN });
}

/** How often nodes ask for changed files, in seconds; `off` is 0. */
export const refresh = z
  .union([z.literal('off').transform(() => 0), duration('10m', 10_000, 604_800_000)], {
    error: ({ input }) => `${mistyped('a duration or "off"', input)}\nsuch as 10m`,
  })
  .transform((ms) => Math.round(ms / 1000));

/** How long `settings.sh` of a node may run, in seconds; `off` is 0. */
export const settingsLimit = z
  .union([z.literal('off').transform(() => 0), duration('1h', 10_000, 604_800_000)], {
    error: ({ input }) => `${mistyped('a duration or "off"', input)}\nsuch as 1h`,
  })
  .transform((ms) => Math.round(ms / 1000));

export const INFINITE_LEASE_SECONDS = 0xffffffff;

export const lease = z
  .union(
    [
      z.literal('infinite').transform(() => INFINITE_LEASE_SECONDS * 1000),
      spelledDuration('2h'),
      z.number().transform((seconds) => Math.round(seconds * 1000)),
    ],
    { error: ({ input }) => `${mistyped('a duration or "infinite"', input)}\nsuch as 2h` },
  )
  .transform((ms) => Math.round(ms / 1000))
  .refine((seconds) => seconds >= 1 && seconds <= INFINITE_LEASE_SECONDS, {
    error: 'out of bounds: a lease lasts at least 1 second; "infinite" is the longest',
  });

export const address = spelled({
  what: 'an IPv4 address',
  example: '10.0.0.51',
  parse: parseIpv4,
  pattern: '^[0-9.]+$',
});

export const subnet = spelled({
  what: 'a subnet',
  example: '10.0.0.0/24',
  parse: parseSubnet,
  pattern: '^[0-9.]+/[0-9]{1,2}$',
  hint: (text) => {
    const [ip, prefix] = text.split('/');
    const host = parseIpv4(ip ?? '');
    if (host === undefined || prefix === undefined || !/^([0-9]|[12][0-9]|3[0-2])$/.test(prefix)) return undefined;
    const base = (host & netmaskOf(Number(prefix))) >>> 0;
    const octets = [24, 16, 8, 0].map((shift) => (base >>> shift) & 255);
    return `the address has bits set beyond /${prefix}: did you mean ${octets.join('.')}/${prefix}?`;
  },
});

export const range = spelled<Ipv4Range>({
  what: 'a range of addresses',
  example: '10.0.0.200-10.0.0.220',
  parse: parseRange,
  pattern: '^[0-9.]+( *- *[0-9.]+)?$',
  hint: (text) => {
    const [first, last] = text.split('-').map((part) => part.trim());
    return first !== undefined && last !== undefined && parseRange(`${last}-${first}`) !== undefined
      ? `it runs backwards: did you mean ${last}-${first}?`
      : undefined;
  },
});

/** A value of one node, or in brackets one for each node of a range; always a list once read. */
export function each<T>(one: Spelling<T>, range: string, radix: 10 | 16) {
  const readEach = (text: string): readonly T[] | undefined => {
    const word = readBrackets(text, radix);
    if ('problem' in word) return undefined;
    const values = word.words().map(one.parse);
    return values.includes(undefined) ? undefined : (values as readonly T[]);
  };
  return spelled<readonly T[]>({
    what: one.what,
    example: one.example,
    parse: readEach,
    pattern: one.pattern ?? '',
    hint: (text) => {
      if (!/[[\]]/.test(text)) return undefined;
      const word = readBrackets(text, radix);
      if ('problem' in word) return `it ${word.problem}`;
      const wrong = word.words().find((value) => one.parse(value) === undefined);
      return `${quoted(wrong ?? '')} is none; a range is written like ${range}`;
    },
  });
}

export const addresses = each(
  { what: 'an IPv4 address', example: '10.0.0.51', parse: parseIpv4, pattern: '^[0-9.]+$|\\[' },
  '10.0.0.[51-114]',
  10,
);

export const macs = each(
  {
    what: 'a MAC address',
    example: '52:54:00:00:00:51',
    parse: parseMac,
    pattern: '^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$|^([0-9A-Fa-f]{4}\\.){2}[0-9A-Fa-f]{4}$|\\[',
  },
  '52:54:00:00:00:[51-90] (hexadecimal)',
  16,
);

/** One line without control characters. */
export const line = matching('one line of text', 'console=ttyS0', /^[^\p{Cc}]+$/u);
export const filePath = matching('a file name', 'tiny/linux', /^[^\p{Cc}]+$/u);
export const domainName = matching(
  'a domain name',
  'rack.example.org',
  /^(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?$/,
);

export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** RFC 1123: letters, digits and inner hyphens, at most 63. */
export const NODE_NAME_PATTERN = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/** The same with numbers and ranges of them in brackets. */
export const NODE_KEY_PATTERN = /^[A-Za-z0-9[]([A-Za-z0-9,[\]-]*[A-Za-z0-9\]])?$/;

export const SECRET_NAME_PATTERN = /^[A-Za-z_][A-Za-z0-9_]*$/;

export const nameSuchAs = (example: string) => matching('a name', example, NAME_PATTERN);
export const vars = named(z.unknown(), 'variables', /^/)
  .transform((value) => value as { readonly [name: string]: Var })
  .describe('Values that templates use. Maps merge, key by key; anything else is replaced by the later value.');
export const options = named(z.unknown(), 'DHCP options', /^[A-Za-z0-9-]+$/).describe(
  'DHCP options by name or number. A value has the form of its option; of any option also { hex: 01:02 }, { text: ... }, { ips: [...] }.',
);
