import type { Path } from '../site/yaml.ts';
import type { Remark, SiteDraft } from './draft.ts';

/**
 * The remarks that say `taken` of something that is not in the draft: they name no place, or one where nothing stands. A
 * report without any is true.
 */
export function unprovenClaims(draft: SiteDraft): readonly Remark[] {
  return draft.remarks.filter(({ kind, at }) => kind === 'taken' && !isProven(draft, at));
}

/** Makes the report true: what says `taken` and has no place in the draft is left out. */
export function leaveUnproven(draft: SiteDraft): void {
  const unproven = new Set(unprovenClaims(draft));
  for (const [i, remark] of draft.remarks.entries()) {
    if (!unproven.has(remark)) continue;
    const { place, what, weight } = remark;
    const why = 'the import has no place for it in the new site: look at what it does, and write it by hand';
    draft.remarks[i] = { kind: 'left', place, what, why, ...(weight === undefined ? {} : { weight }) };
  }
}

function isProven(draft: SiteDraft, at: readonly Path[] | undefined): boolean {
  return at !== undefined && at.length > 0 && at.every((path) => isThere(draft, path));
}

/** A folder is named by its path below the site, an image's recipe by `images` and its name. */
function isThere({ site, folders, images }: SiteDraft, path: Path): boolean {
  const [first, second] = path;
  if (path.length === 1 && folders.has(String(first))) return true;
  if (path.length === 2 && first === 'images' && images.has(String(second))) return true;
  let value: unknown = site;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return false;
    value = (value as Record<string | number, unknown>)[key];
  }
  return path.length > 0 && value !== undefined;
}
