import { z } from 'zod';
import { formatIpv4, type Ipv4, parseIpv4 } from '../../model/ipv4.ts';
import { type Mac, parseMac } from '../../model/mac.ts';
import { KINDS_PATTERN } from '../../timeline/eventKinds.ts';

/** A number in a query. */
export const wholeNumber = z.codec(
  z
    .string()
    .regex(/^[0-9]{1,15}$/, 'must be a whole number')
    .meta({ type: 'integer' }),
  z.int().nonnegative(),
  { decode: Number, encode: String },
);

/** A switch in a query: on where it is given, unless it says no. */
export const flag = z.codec(z.enum(['', '1', 'true', '0', 'false']), z.boolean(), {
  decode: (text) => text !== '0' && text !== 'false',
  encode: (on) => (on ? '1' : '0'),
});

/** An IPv4 address in a path. */
export const addressText = z.codec(z.string().meta({ format: 'ipv4' }), z.custom<Ipv4>(), {
  decode: (text, context) => {
    const ip = parseIpv4(text);
    if (ip !== undefined) return ip;
    context.issues.push({ code: 'custom', message: 'must be an IPv4 address', input: text });
    return z.NEVER;
  },
  encode: formatIpv4,
});

/** A set of nodes, as commands take it: names, ranges, profiles. */
export const nodeSet = z
  .string()
  .min(1, 'must name nodes')
  .describe('A set of nodes: `node01`, `node[01-16]`, `@profile`, a MAC or an address, several with commas between.');

/** Milliseconds since the epoch. */
export const time = z.number().describe('Milliseconds since the epoch.');

export const macAddress = z
  .custom<Mac>((value) => typeof value === 'string' && parseMac(value) === value)
  .meta({ id: 'Mac', type: 'string', pattern: '^[0-9a-f]{2}(:[0-9a-f]{2}){5}$' });

/** An IPv4 address as events hold it. */
export const addressNumber = z
  .custom<Ipv4>((value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 0xffffffff)
  .meta({ id: 'Ipv4Number', type: 'integer', description: 'An IPv4 address as a number: 10.0.0.51 is 167772211.' });

/** Kinds of events, with commas between: `audit.*,site.loaded`. */
export const eventKinds = z.codec(
  z.string().regex(KINDS_PATTERN, 'must be kinds of events, such as audit.*,site.loaded'),
  z.array(z.string()),
  { decode: (text) => text.split(','), encode: (kinds) => kinds.join(',') },
);
