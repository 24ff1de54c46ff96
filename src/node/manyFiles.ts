import { dirname } from 'node:path';
import { type Place, ReveilleError } from '../errors.ts';
import type { BundleFile } from './bundle.ts';
import { isAccount, modeOf } from './overlayFile.ts';

/** What the files of one template share, unless `file()` sets it. */
type Shared = Pick<BundleFile, 'path' | 'mode' | 'owner' | 'group' | 'origin'> & { readonly file: string };

/** A template with this name ending makes any number of files: `{{ file('NAME', mode='0600') }}` begins each. */
export const MANY_FILES = '.files.j2';

const LONGEST_PATH = 1024;
const MOST_FILES = 1000;

/**
 * The files that one template makes. `render` renders it with what it sees beside the rest: the function `file`, whose
 * first argument is a path on the node or a name beside the template, and whose others are `mode`, `owner` and `group`.
 * Throws TEMPLATE_INVALID for text that is in no file.
 */
export function manyFiles(shared: Shared, render: (sees: object) => string): readonly BundleFile[] {
  const { file: template, path: own, ...rest } = shared;
  const begun: Omit<BundleFile, 'content' | 'target'>[] = [];
  const file = (name: unknown, access: Readonly<Record<string, unknown>> = {}): string => {
    if (begun.length === MOST_FILES) throw new Error(`a template makes at most ${MOST_FILES} files`);
    begun.push({ ...rest, ...accessOf(access), path: pathOf(String(name), own) });
    return `\0${begun.length - 1}\0`;
  };
  const [before = '', ...parts] = render({ file }).split(/\0\d+\0\n?/);
  if (before.trim() !== '') {
    const place: Place = { file: template, line: 1, col: 1 };
    throw new ReveilleError('TEMPLATE_INVALID', 'text stands before the first file(...)', { place });
  }
  return begun.map((one, i) => ({ ...one, content: Buffer.from(parts[i] ?? '') }));
}

function pathOf(name: string, template: string): string {
  const path = name.startsWith('/') ? name : `${dirname(template)}/${name}`;
  const parts = path.split('/').slice(1);
  const plain = parts.every((part) => part !== '' && part !== '.' && part !== '..') && !/\p{Cc}/u.test(path);
  if (!plain || path.length > LONGEST_PATH) throw new Error(`file(${JSON.stringify(name)}) names no file`);
  return path;
}

function accessOf({ mode, owner, group }: Readonly<Record<string, unknown>>) {
  const bits = modeOf(mode);
  if (mode !== undefined && bits === undefined) throw new Error("mode= takes an octal text such as '0600'");
  for (const name of [owner, group])
    if (name !== undefined && !isAccount(name)) throw new Error(`${String(name)} is neither a name nor a number`);
  return {
    ...(bits === undefined ? {} : { mode: bits }),
    ...(owner === undefined ? {} : { owner: String(owner) }),
    ...(group === undefined ? {} : { group: String(group) }),
  };
}
