import type { Replacement } from '../model/node.ts';
import type { Findings } from './finding.ts';
import type { Declared } from './shape.ts';
import type { Path } from './yaml.ts';

/** `replace:` as the file has it: by path on the node, the replacement of each token. */
type Written = { readonly [path: string]: { readonly [token: string]: string } };

/** The replacements of a profile or node, at `at` of `document`; `by` names it. */
export function readReplacements(
  written: Written,
  document: Declared<unknown>,
  at: Path,
  by: string,
  findings: Findings,
): readonly Replacement[] {
  return Object.entries(written).flatMap(([path, tokens]) => {
    const parts = path.split('/').slice(1);
    const plain = parts.every((part) => part !== '' && part !== '.' && part !== '..') && !/\p{Cc}/u.test(path);
    if (!path.startsWith('/') || !plain) {
      findings.error(document.keyPlace([...at, path]), `"${path}" is no file`, 'such as /etc/nova/nova.conf');
      return [];
    }
    return Object.entries(tokens).flatMap(([token, value]) => {
      const place = document.keyPlace([...at, path, token]);
      if (/^[^\p{Cc}]{1,255}$/u.test(token)) return [{ path, token, value, by, place }];
      findings.error(place, 'a token is 1 to 255 characters on one line', 'such as XXX');
      return [];
    });
  });
}

/** Of several for one token of one file the last, in the order of the first. */
export function mergeReplacements(layers: readonly (readonly Replacement[])[]): readonly Replacement[] {
  const [first = [], ...more] = layers.filter(({ length }) => length > 0);
  if (more.length === 0) return first;
  const all = [...first, ...more.flat()];
  return [...new Map(all.map((one) => [`${one.path}\n${one.token}`, one])).values()];
}
