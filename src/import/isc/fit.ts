import { siteSchema } from '../../site/schema.ts';
import type { Reading } from './reading.ts';

/**
 * Takes out of the draft what no site can hold, such as a boot file with control characters or a domain name that is none,
 * and tells of it.
 */
export function dropUnfit(reading: Reading): void {
  const { site } = reading.draft;
  const { error } = siteSchema.safeParse(site);
  for (const { path, message } of error?.issues ?? []) {
    const [section, entry, key] = path.map(String);
    if (section === undefined || entry === undefined) continue;
    const what = `${key ?? 'the whole'} of ${section} ${entry}`;
    const [words = ''] = message.split('\n');
    reading.tellOf('left', reading.placeOf(section, entry), what, `a site cannot hold it: ${words}`);
    const held: unknown = site[section as keyof typeof site];
    if (!isRecord(held)) continue;
    const one = held[entry];
    if (key === undefined || !isRecord(one)) delete held[entry];
    else delete one[key];
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
