import { ReveilleError } from '../errors.ts';
import type { Finding } from '../model/finding.ts';

/** One error for all findings, of which there is at least one: the first, and how to list the others. */
export function siteInvalid(folder: string, findings: readonly Finding[]): ReveilleError {
  const [first, ...more] = findings;
  const hint = more.length === 0 ? first?.hint : `and ${more.length} more: see \`reveille check --site ${folder}\``;
  return new ReveilleError('SITE_INVALID', first?.message ?? 'the site does not load', {
    ...(first === undefined ? {} : { place: first.place }),
    ...(hint === undefined ? {} : { hint }),
  });
}
