/** A line that is indented wrongly: by `indent` spaces, where `wanted` fit. `compare` is a line that it belongs beside, else one that it belongs below. */
export type Misindented = {
  readonly line: number;
  readonly indent: number;
  readonly wanted: number;
  readonly compare: { readonly line: number; readonly is: 'beside' | 'above' };
};

/** How many things are wrong with a YAML text; `undefined` if it does not parse. */
export type Judge = (text: string) => number | undefined;

/** Each trial reads the text anew. */
const MOST_TRIALS = 120;
/** UTF-16 code units, of all trials together. */
const MOST_READ = 8_000_000;
const FEWEST_TRIALS = 12;
const NEAR = 12;
const MOST_SUSPECTS = 16;

/**
 * Finds the one line that makes a text right, or at least one that parses, when it is moved to the column of another: alone, or with what
 * stands below it. A parser reports where it lost its way, which is often the next line that is right. `suspects` are the lines of what is
 * wrong, the first ones first. `undefined` where no single move does it.
 */
export function misindentedLine(text: string, suspects: readonly number[], wrongIn: Judge): Misindented | undefined {
  const most = Math.min(MOST_TRIALS, Math.floor(MOST_READ / (text.length + 1)));
  if (most < FEWEST_TRIALS) return undefined;
  const before = wrongIn(text);
  const lines = text.split('\n');
  const step = stepOf(lines);
  let best: { readonly move: Move; readonly score: readonly number[] } | undefined;
  let trials = 0;
  for (const move of movesOf(lines, suspects, step)) {
    if (++trials > most) break;
    const moved = applied(lines, move);
    const wrong = wrongIn(moved.join('\n'));
    if (wrong === undefined || (before !== undefined && wrong > 0)) continue;
    const swallowed = isSwallowed(moved, move, wrongIn);
    if (swallowed && before !== undefined && !isAsked(lines, move)) continue;
    const score = [wrong, swallowed ? 1 : 0, irregular(moved, step), trials];
    if (best === undefined || isLess(score, best.score)) best = { move, score };
  }
  return best && inLines(lines, best.move);
}

/** Lines `from` to `to`, counted from 0, the last not included, move to the column `wanted`. */
type Move = { readonly from: number; readonly to: number; readonly wanted: number };

function movesOf(lines: readonly string[], suspects: readonly number[], step: number): readonly Move[] {
  const tried = new Set<number>();
  for (const line of suspects) {
    tried.add(line - 1);
    const previous = contentBefore(lines, line - 1);
    if (previous !== undefined) tried.add(previous);
    const next = lines.findIndex((one, i) => i >= line && isContent(one));
    if (next >= 0) tried.add(next);
  }
  for (const line of suspects) {
    for (const above of linesAbove(lines, line - 1)) {
      tried.add(above);
      const first = lines.findIndex((one, i) => i > above && isContent(one));
      if (first >= 0) tried.add(first);
    }
  }
  return [...tried].slice(0, MOST_SUSPECTS).flatMap((from) => {
    const line = lines[from];
    if (line === undefined || !isContent(line)) return [];
    const indent = indentOf(line);
    const end = blockEnd(lines, from);
    return [...new Set([from + 1, end])].flatMap((to) => {
      const columns = columnsNear(lines, from, to, step).filter((column) => column !== indent);
      columns.sort((a, b) => Math.abs(a - indent) - Math.abs(b - indent));
      return columns.map((wanted) => ({ from, to, wanted }));
    });
  });
}

/** The lines before one, each indented less than the last: those that it may be part of. */
function linesAbove(lines: readonly string[], line: number): readonly number[] {
  const above: number[] = [];
  let indent = Number.POSITIVE_INFINITY;
  for (let i = contentBefore(lines, line); i !== undefined && indent > 0; i = contentBefore(lines, i)) {
    if (indentOf(lines[i] ?? '') >= indent) continue;
    indent = indentOf(lines[i] ?? '');
    above.push(i);
  }
  return above;
}

/** The columns that a line may have been meant to start in. */
function columnsNear(lines: readonly string[], from: number, to: number, step: number): number[] {
  const columns = new Set<number>();
  let seen = 0;
  for (let i = contentBefore(lines, from); i !== undefined && seen < NEAR; i = contentBefore(lines, i), seen++) {
    const indent = indentOf(lines[i] ?? '');
    columns.add(indent);
    columns.add(/^ *(?:- +)*/.exec(lines[i] ?? '')?.[0].length ?? indent);
    if (seen === 0 && opens(lines[i] ?? '')) columns.add(indent + step);
  }
  for (const above of linesAbove(lines, from)) columns.add(indentOf(lines[above] ?? ''));
  const next = lines.findIndex((line, i) => i >= to && isContent(line));
  if (next >= 0) columns.add(indentOf(lines[next] ?? ''));
  return [...columns];
}

function applied(lines: readonly string[], { from, to, wanted }: Move): readonly string[] {
  const by = wanted - indentOf(lines[from] ?? '');
  return lines.map((line, i) => {
    if (i < from || i >= to || line.trim() === '') return line;
    return ' '.repeat(Math.max(0, indentOf(line) + by)) + line.trimStart();
  });
}

/** Whether the place takes anything, as variables do: then a misspelt key is right there, and no proof. */
function isSwallowed(moved: readonly string[], { from, wanted }: Move, wrongIn: Judge): boolean {
  if (/^\s*-/.test(moved[from] ?? '')) return false;
  const nonsense = [...moved.slice(0, from), `${' '.repeat(wanted)}zzz: zzz`, ...moved.slice(blockEnd(moved, from))];
  return wrongIn(nonsense.join('\n')) === 0;
}

/** Whether the line before opens a map and nothing stands in it. */
function isAsked(lines: readonly string[], { from }: Move): boolean {
  const previous = lines[contentBefore(lines, from) ?? -1] ?? '';
  return opens(previous) && indentOf(lines[from] ?? '') <= indentOf(previous);
}

function inLines(lines: readonly string[], { from, to, wanted }: Move): Misindented {
  const found = { line: from + 1, indent: indentOf(lines[from] ?? ''), wanted };
  let above = 0;
  for (let i = contentBefore(lines, from); i !== undefined; i = contentBefore(lines, i)) {
    const indent = indentOf(lines[i] ?? '');
    if (indent === wanted) return { ...found, compare: { line: i + 1, is: 'beside' } };
    above = i;
    if (indent < wanted) break;
  }
  for (let i = to; i < lines.length; i++) {
    const line = lines[i] ?? '';
    if (!isContent(line) || indentOf(line) > wanted) continue;
    if (indentOf(line) === wanted) return { ...found, compare: { line: i + 1, is: 'beside' } };
    break;
  }
  return { ...found, compare: { line: above + 1, is: 'above' } };
}

/** By how much lines are mostly indented below the one that opens them. */
function stepOf(lines: readonly string[]): number {
  const counts = new Map<number, number>();
  for (const by of stepsOf(lines)) counts.set(by, (counts.get(by) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 2;
}

function irregular(lines: readonly string[], step: number): number {
  return stepsOf(lines).filter((by) => by !== step).length;
}

function stepsOf(lines: readonly string[]): readonly number[] {
  const content = lines.filter(isContent);
  return content.flatMap((line, i) => {
    const previous = content[i - 1] ?? line;
    const by = indentOf(line) - indentOf(previous);
    return by > 0 || (by === 0 && opens(previous) && /^\s*-/.test(line)) ? [by] : [];
  });
}

function blockEnd(lines: readonly string[], from: number): number {
  const indent = indentOf(lines[from] ?? '');
  let end = from + 1;
  for (let i = end; i < lines.length; i++) {
    const line = lines[i] ?? '';
    if (!isContent(line)) continue;
    if (indentOf(line) <= indent) break;
    end = i + 1;
  }
  return end;
}

function contentBefore(lines: readonly string[], line: number): number | undefined {
  for (let i = line - 1; i >= 0; i--) if (isContent(lines[i] ?? '')) return i;
  return undefined;
}

function isContent(line: string): boolean {
  return /^\s*[^\s#]/.test(line);
}

function opens(line: string): boolean {
  return /:\s*(?:#.*)?$/.test(line);
}

function indentOf(line: string): number {
  return /^ */.exec(line)?.[0].length ?? 0;
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  for (const [i, value] of a.entries()) if (value !== b[i]) return value < (b[i] ?? 0);
  return false;
}
