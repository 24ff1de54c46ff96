import { parseIpv4 } from '../../../model/ipv4.ts';
import { quoted } from '../../../site/finding.ts';
import { invalid } from '../../invalid.ts';
import type { Form } from './statements.ts';
import type { Datum } from './tree.ts';

const HOST_NAME = /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?$/;

const FORMS: { readonly [F in Form]: { readonly words: string; readonly fits: (datum: Datum) => boolean } } = {
  number: {
    words: 'a number',
    fits: ({ kind, text }) => kind === 'words' && /^(-?\d+|0x[0-9a-f]+|infinite)$/i.test(text),
  },
  flag: { words: 'on or off', fits: ({ text }) => /^(on|off|true|false|ignore|always|never|[01])$/i.test(text) },
  text: { words: 'text in quotes', fits: isText },
  address: { words: 'an IPv4 address', fits: ({ kind, text }) => kind === 'words' && isAddress(text) },
  addresses: { words: 'addresses', fits: () => true },
  any: { words: 'a value', fits: () => true },
};

/** The datum, if it has this form; an address may be a host name too. Throws IMPORT_INVALID. */
export function checkForm(form: Form, datum: Datum): Datum {
  const { words, fits } = FORMS[form];
  if (fits(datum)) return datum;
  throw invalid(datum.place, `expected ${words}, found ${quoted(datum.text)}`);
}

/** Text, in quotes but for a single word: `filename boot`. */
export function isText({ kind, text }: Datum): boolean {
  return kind === 'text' || /^[A-Za-z0-9_-]+$/.test(text);
}

function isAddress(text: string): boolean {
  return /^[0-9.]+$/.test(text) ? parseIpv4(text) !== undefined : HOST_NAME.test(text);
}

/** What a flag's value says; `undefined` if it is none of the known words. */
export function isOn(text: string): boolean | undefined {
  if (/^(on|true|always|1)$/i.test(text)) return true;
  return /^(off|false|never|ignore|0)$/i.test(text) ? false : undefined;
}
