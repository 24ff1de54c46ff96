import type { Path } from '../../site/yaml.ts';
import { reason, reasons, type Why } from '../reason.ts';
import type { Distribution, Placement, Target, Trouble } from './distribute.ts';
import type { Reading } from './reading.ts';
import type { Field, Setting } from './settings.ts';
import { isNot, tagOf } from './tagBook.ts';

/** A line that gives something to requests with certain tags. */
export type Line = { readonly setting: Setting; readonly needs: readonly Field[] };

/** Why nothing is given where there is no network. */
export const NO_NETWORK = 'no dhcp-range makes a network here, so nothing can be given to a machine';

/** Where a target stands in site.yaml: a class for each alternative of its tags. */
export function pathsOf(target: Target, reading: Reading): readonly Path[] {
  if (target.kind === 'network') return [['networks', target.network.name]];
  if (target.kind === 'pool') {
    return [['networks', target.network.name, 'pools', target.network.text.pools?.indexOf(target.pool) ?? -1]];
  }
  if (target.kind === 'profile') return [['profiles', reading.profileOf(target.tag)]];
  return reading.classesFor(target.tags, target.asks, target.group).map((name) => ['classes', name]);
}

type Owner = { bootFile?: string; nextServer?: string; options?: { [key: string]: unknown } };

/** The network, pool, class or profile at a path of the draft. */
export function ownerAt(path: Path, { draft: { site } }: Reading): Owner {
  let owner: unknown = site;
  for (const key of path) owner = (owner as { readonly [key: string]: unknown } | undefined)?.[key];
  return (owner ?? {}) as Owner;
}

/** Where a line went: each path, in words. */
export function placesInWords(paths: readonly Path[]): string {
  const kinds: { readonly [section: string]: string } = { networks: 'network', classes: 'class', profiles: 'profile' };
  const owners = paths.map(([section = '', name, pools]) => {
    const owner = `${kinds[section] ?? section} ${name}`;
    return pools === 'pools' ? `a pool of ${owner}` : owner;
  });
  return [...new Set(owners)].join(', ');
}

/**
 * Leaves lines out until no machine is given what dnsmasq gives to all but it: such a line has no place. Gives what to write
 * of the others, and why those were left out.
 */
export function withoutRests<L extends Line, V>(
  lines: readonly L[],
  distribution: (active: ReadonlySet<number>) => Distribution<V>,
): { readonly settled: Distribution<V>; readonly refused: ReadonlyMap<number, Trouble> } {
  const active = new Set(lines.keys());
  const refused = new Map<number, Trouble>();
  for (;;) {
    const settled = distribution(active);
    const trouble = settled.troubles.find(
      ({ kind, line }) => (kind === 'rest' || kind === 'nothing') && active.has(line),
    );
    if (trouble === undefined) return { settled, refused };
    active.delete(trouble.line);
    refused.set(trouble.line, trouble);
  }
}

/** Tells what became of each line. `written` gives the paths that a placement was written to, and notes on what is not as it was. */
export function tellOutcomes<V>(
  lines: readonly Line[],
  { settled, refused }: { readonly settled: Distribution<V>; readonly refused: ReadonlyMap<number, Trouble> },
  written: ReadonlyMap<Placement<V>, { readonly paths: readonly Path[]; readonly notes: readonly Why[] }>,
  reading: Reading,
  toldAlready: ReadonlySet<Line> = new Set(),
): void {
  const of = (line: number) => settled.placements.filter((placement) => placement.line === line);
  const pathsOfLine = (line: number) => of(line).flatMap((placement) => written.get(placement)?.paths ?? []);
  for (const [i, line] of lines.entries()) {
    if (toldAlready.has(line)) continue;
    const trouble = refused.get(i) ?? settled.troubles.find((one) => one.line === i);
    const bare = settled.bare.filter((one) => one.line === i);
    const by = settled.covered.filter((one) => one.line === i).map((one) => one.by);
    const paths = [
      ...pathsOfLine(i),
      ...by.flatMap(pathsOfLine),
      ...bare.map(({ network }): Path => ['networks', network.name]),
    ];
    const all = of(i).flatMap((placement) => written.get(placement)?.notes ?? []);
    const notes = [...new Map(all.map((note) => [note.toString(), note])).values()];
    const where = placesInWords(paths);
    if (paths.length === 0)
      reading.left(line.setting, trouble ? troubleWords(trouble, line) : unplaced(line, reading, notes));
    else if (trouble !== undefined) {
      reading.tell('changed', line.setting, reason`${where}; but ${troubleWords(trouble, line)}`);
    } else if (notes.length > 0) reading.tell('changed', line.setting, reasons([reason`${where}`, ...notes]));
    else reading.taken(line.setting, paths, bare.length > 0 ? `nothing of the kind in ${where}` : where);
  }
}

function troubleWords({ kind, tags }: Trouble, { needs }: Line): Why {
  const all = tags.join(', ');
  switch (kind) {
    case 'rest': {
      const without = needs.filter(({ text }) => isNot(text)).map(({ text }) => tagOf(text));
      const words = without.length === 0 ? all : without.join(', ');
      return reason`it is for all without the tag ${words}, and who has it is given nothing of the kind, which no class can say: write what class ${words} gets, then this for the networks`;
    }
    case 'nothing':
      return reason`a class cannot take away what the networks give, as this does for the tag ${all}`;
    case 'networks':
      return reason`it is for requests with the tags ${all} in some networks only, and a class asks for no network`;
    case 'unnameable':
      return reason`no class can ask for the tags ${all} at once`;
  }
}

/** Why a line went nowhere although nothing stood in its way. */
function unplaced({ needs }: Line, reading: Reading, notes: readonly Why[]): Why {
  if (notes.length > 0) return reasons(notes) ?? '';
  if (reading.networks.length === 0) return NO_NETWORK;
  const unset = needs.map(({ text }) => text).find((need) => !isNot(need) && !isSet(need, reading));
  if (unset !== undefined) return unsetWords(unset, reading);
  return 'no request is given it: other lines come before it, or no machine has its tags together';
}

/** Whether anything that was taken over sets a tag. */
export function isSet(tag: string, { tags, zones, hosts }: Pick<Reading, 'tags' | 'zones' | 'hosts'>): boolean {
  const set = new Set([...tags.machineTags, ...zones.flatMap((zone) => [...zone.tags])]);
  for (const { sets } of hosts) for (const one of ['known', ...sets]) set.add(one);
  for (let before = -1; before < set.size; ) {
    before = set.size;
    for (const { needs, sets } of tags.tagIfs) {
      if (needs.every(({ text }) => isNot(text) || set.has(text))) for (const one of sets) set.add(one);
    }
  }
  return set.has(tag);
}

/** Rules of `tag-if` that are told of, each of which sets the tag of the next. */
const LONGEST_WAY = 10;

/** Why a tag is never set. */
export function unsetWords(tag: string, reading: Reading, seen: readonly string[] = []): Why {
  const lost = reading.tags.lostBy(tag);
  if (lost !== undefined)
    return reason`its tag ${tag} is set by ${lost.place.file}:${lost.place.line} ${lost.whole}, which is left out`;
  const rule = reading.tags.tagIfs.find(({ sets }) => sets.includes(tag));
  const need = rule?.needs.map(({ text }) => text).find((one) => !isNot(one) && !isSet(one, reading));
  if (rule !== undefined && need !== undefined && !seen.includes(tag) && seen.length < LONGEST_WAY)
    return reason`its tag ${tag} follows from another by tag-if: ${unsetWords(need, reading, [...seen, tag])}`;
  if (tag === 'known') return 'no host is listed, so no machine has the tag known';
  if (tag === 'bootp') return 'a class cannot ask for BOOTP, whose tag is bootp';
  if (tag === 'known-othernet') return 'a class cannot ask for hosts of another network, whose tag is known-othernet';
  return reason`no line sets the tag ${tag}`;
}
