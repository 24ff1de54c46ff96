import type { Phase } from '../model/rollNote.ts';
import { plainLine } from '../plainText.ts';
import { isActive, isUnderWay, type Roll, type RollNode } from '../roll/record.ts';
import { foldNames } from '../site/foldNames.ts';
import { noteText } from '../words/roll.ts';
import { formatMs } from '../words/units.ts';
import { clock, paint } from './print.ts';
import { table } from './table.ts';

const PHASE_COLOUR: { readonly [P in Phase]?: 'green' | 'red' | 'yellow' | 'dim' } = {
  done: 'green',
  skipped: 'green',
  failed: 'red',
  waiting: 'dim',
  left: 'dim',
};

/** How much fits a terminal, in characters. */
export type Room = { readonly columns: number; readonly rows: number };

const ENDLESS: Room = { columns: Number.POSITIVE_INFINITY, rows: Number.POSITIVE_INFINITY };
/** The title, the roll's own words, the heading, and how many nodes are not shown. */
const OTHER_ROWS = 4;

/**
 * A roll as a table of its nodes. A line is cut so that it stays one; where not all nodes have room, those under way and those
 * that failed go first.
 */
export function rollText(roll: Roll, now: number, room = ENDLESS): string {
  const took = formatMs((roll.endedAt ?? now) - roll.begunAt);
  const count = (phases: readonly Phase[]) => roll.nodes.filter(({ phase }) => phases.includes(phase)).length;
  const title = `roll ${roll.id}  ${roll.state}  ${count(['done', 'skipped'])} of ${roll.nodes.length} done, ${count(['failed'])} failed, ${took}`;
  const shown = mostTelling(roll.nodes, Math.max(1, room.rows - OTHER_ROWS));
  const rows = shown.map(({ node, phase, image, remaining, note }) => [
    node,
    phase,
    image.slice(0, 12),
    remaining === null ? '-' : String(remaining),
    noteText(note),
  ]);
  const cut = (line: string) =>
    line.length <= room.columns ? line : `${line.slice(0, Math.max(0, room.columns - 1))}…`;
  const [heading = '', ...body] = table([['NODE', 'PHASE', 'IMAGE', 'INSTANCES', ''], ...rows])
    .split('\n')
    .map(cut);
  const coloured = body.map((line, i) => {
    const phase = shown[i]?.phase ?? 'waiting';
    return line.replace(`  ${phase} `, `  ${paint(PHASE_COLOUR[phase] ?? 'yellow', phase)} `);
  });
  const unseen = roll.nodes.length - shown.length;
  return [
    cut(title),
    ...(roll.note === null ? [] : [cut(plainLine(noteText(roll.note)))]),
    paint('bold', heading),
    ...coloured,
    ...(unseen === 0 ? [] : [cut(`and ${unseen} more: see reveille roll status`)]),
  ].join('\n');
}

/** In the order of the roll. */
function mostTelling(nodes: readonly RollNode[], most: number): readonly RollNode[] {
  if (nodes.length <= most) return nodes;
  const rank = (node: RollNode) =>
    isUnderWay(node) ? 0 : node.phase === 'failed' ? 1 : node.phase === 'waiting' ? 2 : 3;
  const chosen = new Set([...nodes].sort((a, b) => rank(a) - rank(b)).slice(0, most));
  return nodes.filter((node) => chosen.has(node));
}

/** What a roll would do, a node a line. */
export function previewText(roll: Roll): string {
  return table([
    ['NODE', 'IMAGE', ''],
    ...roll.nodes.map(({ node, image, note }) => [node, image.slice(0, 12), noteText(note)]),
  ]);
}

/** Which nodes are pinned to which image, a line for each image. */
export function pinLines(pins: Readonly<Record<string, string>>): readonly string[] {
  const byImage = Map.groupBy(Object.entries(pins), ([, image]) => image);
  return [...byImage].map(
    ([image, nodes]) => `pinned to ${image.slice(0, 12)}: ${foldNames(nodes.map(([node]) => node)).join(',')}`,
  );
}

/** Shows a roll as a table that is drawn over the one before; it grows beyond the terminal only once the roll has ended. */
export function liveTable(): (roll: Roll) => void {
  let height = 0;
  return (roll) => {
    const { columns = 120, rows = 24 } = process.stdout;
    const text = rollText(roll, Date.now(), isActive(roll) ? { columns, rows: rows - 1 } : { ...ENDLESS, columns });
    const up = height === 0 ? '' : `\x1b[${height}A`;
    process.stdout.write(`${up}\x1b[J${text}\n`);
    height = text.split('\n').length;
  };
}

/** Shows what changed of a roll, a line for each change. */
export function lines(): (roll: Roll) => void {
  const last = new Map<string, string>();
  const show = (who: string, words: string): void => {
    if (last.get(who) === words) return;
    last.set(who, words);
    console.log(plainLine(`${clock(Date.now())}  ${who.padEnd(12)}  ${words}`));
  };
  return (roll) => {
    for (const { node, phase, note } of roll.nodes) {
      const words = noteText(note);
      if (phase !== 'waiting') show(node, `${phase}${words === '' || words === phase ? '' : `: ${words}`}`);
    }
    const words = noteText(roll.note);
    if (!isActive(roll) || words !== '') show('roll', `${roll.state}${words === '' ? '' : `: ${words}`}`);
  };
}
