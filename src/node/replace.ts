import { type Place, ReveilleError } from '../errors.ts';
import type { Replacement, SiteNode } from '../model/node.ts';
import type { BundleFile } from './bundle.ts';
import { Budget, type Renderer } from './templates.ts';

/**
 * Replaces the tokens of `node.replace`: in `files` if the file is among them, else each file of the image becomes one more of
 * `files`, in which the agent replaces them. Values are templates that see `sees`. Throws TEMPLATE_INVALID with the place.
 */
export function replaceTokens(
  node: SiteNode,
  files: Map<string, BundleFile>,
  sees: object,
  renderer: Renderer,
  budget = Budget.forBundle(),
): void {
  for (const [path, values] of renderedReplacements(node, sees, renderer, budget)) {
    const file = files.get(path);
    if (file === undefined) {
      const origin = `replace of ${originOf(node, path)}`;
      files.set(path, { path, mode: 0, owner: '', group: '', origin, replace: values });
    } else if ('content' in file) {
      files.set(path, { ...file, content: swapped(file.content, values) });
    } else {
      const place = node.replace.find((one) => one.path === path)?.place;
      throw new ReveilleError('SITE_INVALID', `${path} is written as a link: no tokens can be replaced in it`, {
        ...(place === undefined ? {} : { place }),
      });
    }
  }
}

/** By path, the replacement of each token. */
export function renderedReplacements(
  node: SiteNode,
  sees: object,
  renderer: Renderer,
  budget = Budget.forBundle(),
): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const paths = new Map<string, Map<string, string>>();
  for (const one of node.replace) {
    const values = paths.get(one.path) ?? new Map<string, string>();
    paths.set(one.path, values.set(one.token, rendered(one, sees, renderer, budget)));
  }
  return paths;
}

function rendered({ value: template, place }: Replacement, sees: object, renderer: Renderer, budget: Budget): string {
  return atPlace(place, () => {
    const value = renderer.render(place.file, template, sees, budget);
    if (!/\p{Cc}/u.test(value.replaceAll('\t', ' '))) return value;
    throw new ReveilleError('TEMPLATE_INVALID', 'what takes the place of a token has to be one line');
  });
}

/** Throws TEMPLATE_INVALID, with its place in the site, for a value that is no template. */
export function compileReplacement({ value, place }: Replacement, renderer: Renderer): void {
  atPlace(place, () => renderer.compile(place.file, value));
}

/** Within a value a template's own line and column are useless. */
function atPlace<T>(place: Place, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ReveilleError)) throw error;
    const { code, message, hint } = error;
    throw new ReveilleError(code, message, { place, ...(hint === undefined ? {} : { hint }), cause: error });
  }
}

function originOf(node: SiteNode, path: string): string {
  return [...new Set(node.replace.filter((one) => one.path === path).map(({ by }) => by))].join(', ');
}

/** As the agent does it: literally; the longer of two tokens that begin at one place; replacements are not searched again. */
function swapped(content: Uint8Array, values: ReadonlyMap<string, string>): Uint8Array {
  // Latin-1 keeps every byte, whatever the file's encoding.
  const bytes = (text: string) => Buffer.from(text).toString('latin1');
  const inBytes = new Map([...values].map(([token, value]) => [bytes(token), bytes(value)]));
  const longestFirst = [...inBytes.keys()].sort((a, b) => b.length - a.length);
  const tokens = new RegExp(longestFirst.map((token) => RegExp.escape(token)).join('|'), 'g');
  const text = Buffer.from(content).toString('latin1');
  return Buffer.from(
    text.replace(tokens, (token) => inBytes.get(token) ?? token),
    'latin1',
  );
}
