import { formatPlace } from '../errors.ts';
import type { Remark, Weight } from './draft.ts';
import { common, type Reason } from './reason.ts';

const SECTIONS: readonly { readonly kind: Remark['kind']; readonly title: string; readonly lead: string }[] = [
  {
    kind: 'left',
    title: 'Left out',
    lead: 'These have no part in the new site. The last column says why, and what to do instead.',
  },
  {
    kind: 'changed',
    title: 'Changed in meaning',
    lead: 'These are in the new site, or it does something of the kind, but not quite as before.',
  },
  { kind: 'taken', title: 'Taken over', lead: 'These mean the same as before.' },
];

/** The report of an import as Markdown: what was left out, what changed, what was taken over, each with its place. */
export function reportText(remarks: readonly Remark[], sources: readonly string[]): string {
  const lines = [
    '# Import report',
    '',
    `Read: ${sources.map((source) => `\`${source}\``).join(', ')}`,
    '',
    `${totals(remarks)}.`,
  ];
  for (const { kind, title, lead } of SECTIONS) {
    const groups = byReason(remarks.filter((remark) => remark.kind === kind));
    if (groups.length === 0) continue;
    lines.push(
      '',
      `## ${title}`,
      '',
      lead,
      '',
      kind === 'taken' ? '| where | what | now |' : '| where | what | why |',
      '|---|---|---|',
    );
    for (const { remarks: some, why = '' } of groups)
      lines.push(`| ${cell(places(some))} | ${code(some[0].what)}${more(some)} | ${cell(why)} |`);
  }
  return `${lines.join('\n')}\n`;
}

/** `12 taken over, 2 changed in meaning, 1 left out`. */
export function totals(remarks: readonly Remark[]): string {
  const count = (kind: Remark['kind']) => remarks.filter((remark) => remark.kind === kind).length;
  return `${count('taken')} taken over, ${count('changed')} changed in meaning, ${count('left')} left out`;
}

/** Remarks of one kind that say the same reason, names in it apart. */
export type Group = {
  readonly kind: Remark['kind'];
  readonly why: string | undefined;
  readonly remarks: readonly [Remark, ...Remark[]];
};

const WEIGHTS: readonly Weight[] = ['clients', 'server', 'other'];

/**
 * Remarks by their reasons. What clients lose comes first, what concerns other services last; left out before changed before
 * taken over; then as the sources stand. Remarks without a reason stand each for itself.
 */
export function byReason(remarks: readonly Remark[]): readonly Group[] {
  const groups = new Map<string, [Remark, ...Remark[]]>();
  byPlace(remarks).forEach((remark, index) => {
    const { kind, why, reason, weight } = remark;
    const key = JSON.stringify([kind, weight, reason?.words ?? why ?? index]);
    const group = groups.get(key);
    if (group) group.push(remark);
    else groups.set(key, [remark]);
  });
  const rank = ([{ kind, weight = 'clients' }]: readonly [Remark, ...Remark[]]): number =>
    WEIGHTS.indexOf(weight) * SECTIONS.length + SECTIONS.findIndex((section) => section.kind === kind);
  return [...groups.values()]
    .toSorted((a, b) => rank(a) - rank(b))
    .map((some) => ({ kind: some[0].kind, why: wordsOf(some), remarks: some }));
}

/** What the reasons of a group have in common. */
function wordsOf([first, ...others]: readonly [Remark, ...Remark[]]): string | undefined {
  if (first.reason === undefined || others.every(({ why }) => why === first.why)) return first.why;
  const more = others.map(({ reason }) => reason).filter((one): one is Reason => one !== undefined);
  return common([first.reason, ...more]);
}

const MOST_PLACES = 10;

/** `dhcpd.conf:3:5, 7:5, 9:1`: the file is said where it changes. */
function places(remarks: readonly Remark[]): string {
  const all = [...new Map(remarks.map(({ place }) => [formatPlace(place), place])).values()];
  const shown = all.slice(0, MOST_PLACES).map((place, i) => {
    const isSameFile = all[i - 1]?.file === place.file;
    return isSameFile ? `${place.line}:${place.col}` : formatPlace(place);
  });
  return all.length > MOST_PLACES ? `${shown.join(', ')} ...` : shown.join(', ');
}

/** ` and 24 more`, or nothing. */
export function more(remarks: readonly Remark[]): string {
  return remarks.length === 1 ? '' : ` and ${remarks.length - 1} more`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replace(/[\r\n]+/g, ' ');
}

function code(text: string): string {
  const fence = text.includes('`') ? '``' : '`';
  return `${fence}${cell(text)}${fence}`;
}

/** The remarks as the sources stand: file by file in the order in which they were first reported, line by line. */
export function byPlace(remarks: readonly Remark[]): readonly Remark[] {
  const files = new Map<string, number>();
  for (const { place } of remarks) if (!files.has(place.file)) files.set(place.file, files.size);
  const rank = ({ place }: Remark) => files.get(place.file) ?? 0;
  return remarks.toSorted((a, b) => rank(a) - rank(b) || a.place.line - b.place.line || a.place.col - b.place.col);
}
