import type { Place } from '../errors.ts';
import { siteSchema } from '../site/schema.ts';
import { valueAt } from '../site/shape.ts';
import type { Path } from '../site/yaml.ts';
import type { Remark, SiteDraft } from './draft.ts';
import { reason } from './reason.ts';

/** An entry of the menu is dropped whole, and so is an option; of networks, classes, profiles and nodes a key. */
const DEPTHS: { readonly [section: string]: number } = { menu: 3, networks: 3, classes: 3, profiles: 3, nodes: 3 };
const MOST_ROUNDS = 5;

/**
 * Takes out of a draft what no site can hold, such as a domain name that is none: one such value would cost the whole site. What is
 * dropped is reported as left out, at the remark that says where it stands, else at the start of `source`.
 */
export function dropUnfit(draft: SiteDraft, source: string): void {
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const issues = siteSchema.safeParse(draft.site).error?.issues ?? [];
    if (issues.length === 0) return;
    const dropped = new Set<string>();
    for (const { path, message } of issues) {
      const at = droppedAt(path.map((key) => (typeof key === 'symbol' ? String(key) : key)));
      const key = JSON.stringify(at);
      if (at.length === 0 || dropped.has(key) || valueAt(draft.site, at) === undefined) continue;
      dropped.add(key);
      drop(draft, at, message.split('\n')[0] ?? '', { file: source, line: 1, col: 1 });
    }
    if (dropped.size === 0) return;
  }
}

function droppedAt(path: Path): Path {
  const [section = ''] = path;
  const depth = path[2] === 'options' ? 4 : (DEPTHS[section] ?? 2);
  return path.slice(0, depth);
}

function drop(draft: SiteDraft, at: Path, words: string, start: Place): void {
  const what = at.slice(1).join('.');
  const why = reason`a site cannot hold it: ${words}`;
  const sources = draft.remarks.filter((remark) => remark.at?.some((path) => isBelow(path, at)));
  const exact = sources.filter(({ kind, at: paths }) => kind === 'taken' && paths?.every((path) => isBelow(path, at)));
  for (const remark of exact) draft.remarks[draft.remarks.indexOf(remark)] = left(remark);
  if (exact.length === 0) draft.remark('left', placeOf(draft, at) ?? start, `${at[0]}: ${what}`, why);

  const holder = valueAt(draft.site, at.slice(0, -1));
  if (typeof holder === 'object' && holder !== null)
    delete (holder as Record<string | number, unknown>)[at.at(-1) ?? ''];

  function left({ place, what, weight }: Remark): Remark {
    return { kind: 'left', place, what, why: why.toString(), reason: why, ...(weight === undefined ? {} : { weight }) };
  }
}

/** Where the remark stands that tells of what is around. */
function placeOf({ remarks }: SiteDraft, at: Path): Place | undefined {
  for (let depth = at.length; depth >= 2; depth--) {
    const around = at.slice(0, depth);
    const found = remarks.find((remark) => remark.at?.some((path) => isBelow(path, around)));
    if (found !== undefined) return found.place;
  }
  return undefined;
}

function isBelow(path: Path, top: Path): boolean {
  return top.every((key, i) => String(path[i]) === String(key));
}
