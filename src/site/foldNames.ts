import { isPadded } from './brackets.ts';

/**
 * Names in as few words as possible: `node01` to `node16` and `r1` become `node[01-16]`, `r1`, in natural order. `selectNodes`
 * and `readBrackets` read exactly these names back, each once. Digits beyond 15 count as text.
 */
export function foldNames(names: Iterable<string>): readonly string[] {
  const shapes = Map.groupBy(new Set(names), (name) =>
    JSON.stringify(name.split(DIGITS).filter((_, i) => i % 2 === 0)),
  );
  const words = [...shapes.values()].flatMap((alike) => foldAlike(alike.map((name) => name.split(DIGITS))));
  return words.toSorted(collator.compare);
}

/** A run of digits that is no part of a longer one. */
const DIGITS = /(?<![0-9])([0-9]{1,15})(?![0-9])/;
const collator = new Intl.Collator('en', { numeric: true });

/** A block of names: odd elements are the numbers at that place, in every combination; even elements are the text between. */
type Block = readonly (readonly string[])[];

/** Folds names of one shape, given in pieces: the last number first, because racks count there. */
function foldAlike(names: readonly (readonly string[])[]): readonly string[] {
  let blocks: readonly Block[] = names.map((pieces) => pieces.map((piece) => [piece]));
  for (let place = (names[0]?.length ?? 0) - 2; place > 0; place -= 2) {
    const mergeable = Map.groupBy(blocks, (block) => JSON.stringify(block.with(place, [])));
    blocks = [...mergeable.values()].map((group) =>
      (group[0] as Block).with(place, group.flatMap((block) => block[place] ?? []).toSorted(byNumber)),
    );
  }
  return blocks.map((block) => block.map((pieces, i) => (i % 2 === 0 ? pieces[0] : bracket(pieces))).join(''));
}

function byNumber(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : 1);
}

/** One number as it is, several as `[01-16,20]`. */
function bracket(numbers: readonly string[]): string {
  if (numbers.length === 1) return numbers[0] ?? '';
  const runs: { from: string; to: string }[] = [];
  for (const number of numbers) {
    const run = runs.at(-1);
    if (run && number === following(run)) run.to = number;
    else runs.push({ from: number, to: number });
  }
  return `[${runs.map(({ from, to }) => (from === to ? from : `${from}-${to}`)).join(',')}]`;
}

/** The number after a run, with the width of the run's first number. */
function following({ from, to }: { readonly from: string; readonly to: string }): string {
  return String(Number(to) + 1).padStart(isPadded(from) ? from.length : 1, '0');
}
