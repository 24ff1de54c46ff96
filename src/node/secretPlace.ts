import { osloText, shellText } from './quoting.ts';

// The text around a secret decides how its value is written.

/** The filters in `{{ secrets.NAME | WAY }}`. */
export const SECRET_WAYS: ReadonlyMap<string, (value: string) => string> = new Map([
  ['urlencode', encodeURIComponent],
  ['oslo', osloText],
  ['quote', shellText],
  ['raw', (value: string) => value],
]);

/** A value as it goes into its text, or the reason why it cannot. No message contains the value. */
export type Fitted = { readonly value: string } | { readonly problem: string; readonly hint: string };

/**
 * A value that goes between `before` and `after`. In a URL a password is encoded, so that it arrives as it is; elsewhere in a
 * URL (user, host, path, query) what would break it, or could be meant in two ways, is refused.
 */
export function fitted(value: string, before: string, after: string, name: string): Fitted {
  const part = urlPart(before, after);
  if (part === undefined) return { value };
  const lone = `{{ secrets.${name} | urlencode }}`;
  const hint = `write ${lone} if the URL needs it encoded, {{ secrets.${name} | raw }} if it stands in the URL as it is`;
  if (part !== 'password') {
    if (FITS[part].test(value)) return { value };
    return { problem: `stands in the ${part} of a URL and has characters that break it there`, hint };
  }
  if (isEncoded(value)) {
    return { problem: 'is the password in a URL and looks encoded already (%, and two hexadecimal digits)', hint };
  }
  try {
    return { value: encodeURIComponent(value) };
  } catch {
    return { problem: 'is the password in a URL and is no Unicode', hint: 'make another password' };
  }
}

/**
 * Whether a value that stands in a text as it is breaks the text there: a URL, or a file that oslo.config reads (`path` is the
 * file's on the node). In words that do not hold the value.
 */
export function breakage(value: string, text: string, path: string): string | undefined {
  if (PLAIN.test(value)) return undefined;
  const dollars = OSLO_FILE.test(path) && /\$[$A-Za-z_{]/.test(value);
  for (let at = text.indexOf(value); at >= 0; at = text.indexOf(value, at + 1)) {
    const end = at + value.length;
    const before = text.slice(text.lastIndexOf('\n', at - 1) + 1, at);
    const [after = ''] = /^[^\n]*/.exec(text.slice(end, end + LONGEST_LOOK)) ?? [];
    const part = urlPart(before, after);
    const broken = part === 'password' ? !isEncoded(value) && !URL_SAFE.test(value) : part && !FITS[part].test(value);
    if (broken) return `in the ${part} of a URL: write it with | urlencode`;
    // A doubled sign is how this file has it.
    if (dollars && !(value.startsWith('$') && before.endsWith('$')))
      return 'with a $, which this file replaces: write it with | oslo';
  }
  return undefined;
}

const LONGEST_LOOK = 1000;

type UrlPart = 'password' | 'user' | 'host' | 'path' | 'query';

/** Nothing of a URL, of a shell or of a configuration file is in it. */
const PLAIN = /^[A-Za-z0-9._~-]*$/;
/** What may stand in a password as it is. */
const URL_SAFE = /^[A-Za-z0-9._~!'()*;&=+-]*$/;
const ENCODED = "(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})";

const FITS: { readonly [part in Exclude<UrlPart, 'password'>]: RegExp } = {
  user: new RegExp(`^${ENCODED}*$`),
  // Several hosts, ports, and a path behind them, perhaps with who logs in.
  host: new RegExp(`^(?:${ENCODED}|[:,@/?\\[\\]])*$`),
  path: new RegExp(`^(?:${ENCODED}|[:,@/])*$`),
  query: /^(?:[A-Za-z0-9._~!$'()*;=,:@/?-]|%[0-9A-Fa-f]{2})*$/,
};

/** Files of OpenStack's programs, which replace `$option` within values. */
const OSLO_FILE =
  /^\/etc\/(aodh|barbican|ceilometer|cinder|cloudkitty|cyborg|designate|glance|gnocchi|heat|ironic|ironic-inspector|keystone|magnum|manila|masakari|mistral|neutron|nova|octavia|placement|trove|watcher|zaqar|zun)\/.*\.(conf|ini)$/;

/** Whether it is what encoding makes, and not what anybody would take for a password as it is. */
function isEncoded(value: string): boolean {
  return /%[0-9A-Fa-f]{2}/.test(value) && new RegExp(`^${ENCODED}*$`).test(value);
}

/** The part of a URL that stands between two texts, of which `before` is filled in. */
function urlPart(before: string, after: string): UrlPart | undefined {
  const rest = /(?:^|[^A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]*:\/\/([^\s"'<>`\\|{}^]*)$/.exec(
    before.slice(-LONGEST_LOOK),
  )?.[1];
  if (rest === undefined) return undefined;
  if (/[?#]/.test(rest)) return 'query';
  if (rest.includes('/')) return 'path';
  const login = rest.split(',').at(-1) ?? '';
  // References that are still to be filled in stand for any text.
  const next = after.replace(/\{\{[^}]*\}\}/g, 'x');
  if (login.includes('@') || !/^[^\s"'<>`\\|{}^/?#@,]*@/.test(next)) return 'host';
  return login.includes(':') ? 'password' : 'user';
}
