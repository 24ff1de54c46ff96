import { siteSchema } from '../../../site/schema.ts';
import type { Path } from '../../../site/yaml.ts';
import { reason } from '../../reason.ts';
import type { Reading } from './reading.ts';

/**
 * Takes out of the draft what no site can hold, such as a boot file with control characters or a domain name that is none,
 * and tells of what it came from.
 */
export function dropUnfit(reading: Reading): void {
  const { site } = reading.draft;
  const { error } = siteSchema.safeParse(site);
  for (const { path, message } of error?.issues ?? []) {
    const [section, entry, key] = path.map(String);
    if (section === undefined || entry === undefined) continue;
    const what = `${key ?? 'the whole'} of ${section} ${entry}`;
    const [words = ''] = message.split('\n');
    const why = reason`a site cannot hold it: ${words}`;
    const dropped = key === undefined ? [section, entry] : [section, entry, key];
    const sources = reading.standing.filter(
      ([statement, { at }]) => statement !== undefined && at.some((one) => isBelow(one, dropped)),
    );
    for (const [statement] of sources) if (statement !== undefined) reading.tell('left', statement, why);
    if (sources.length === 0) reading.tellOf('left', reading.placeOf(section, entry), what, why);
    const held: unknown = site[section as keyof typeof site];
    if (!isRecord(held)) continue;
    const one = held[entry];
    if (key === undefined || !isRecord(one)) delete held[entry];
    else delete one[key];
  }
}

function isBelow(path: Path, top: readonly string[]): boolean {
  return top.every((key, i) => String(path[i]) === key);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
