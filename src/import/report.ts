import { formatPlace } from '../errors.ts';
import type { Remark } from './draft.ts';

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
    const rows = byPlace(remarks).filter((remark) => remark.kind === kind);
    if (rows.length === 0) continue;
    lines.push(
      '',
      `## ${title}`,
      '',
      lead,
      '',
      kind === 'taken' ? '| where | what | now |' : '| where | what | why |',
      '|---|---|---|',
    );
    for (const { place, what, why = '' } of rows)
      lines.push(`| ${cell(formatPlace(place))} | ${code(what)} | ${cell(why)} |`);
  }
  return `${lines.join('\n')}\n`;
}

/** `12 taken over, 2 changed in meaning, 1 left out`. */
export function totals(remarks: readonly Remark[]): string {
  const count = (kind: Remark['kind']) => remarks.filter((remark) => remark.kind === kind).length;
  return `${count('taken')} taken over, ${count('changed')} changed in meaning, ${count('left')} left out`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replace(/[\r\n]+/g, ' ');
}

function code(text: string): string {
  const fence = text.includes('`') ? '``' : '`';
  return `${fence}${cell(text)}${fence}`;
}

/** The remarks as the sources stand: file by file in the order in which they were first told of, line by line. */
export function byPlace(remarks: readonly Remark[]): readonly Remark[] {
  const files = new Map<string, number>();
  for (const { place } of remarks) if (!files.has(place.file)) files.set(place.file, files.size);
  const rank = ({ place }: Remark) => files.get(place.file) ?? 0;
  return remarks.toSorted((a, b) => rank(a) - rank(b) || a.place.line - b.place.line || a.place.col - b.place.col);
}
