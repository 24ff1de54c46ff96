import { invalid, type Problems } from './invalid.ts';

/** One cell of a table, and where it begins. */
export type Cell = { readonly text: string; readonly line: number; readonly col: number };

const SEPARATORS = [',', ';', '\t'] as const;

/**
 * Reads a table of RFC 4180: rows on lines, cells between separators, quotes around cells that hold separators, line breaks
 * or (doubled) quotes. The separator is the one of `, ; TAB` that the first line has most of. Blanks around cells, empty
 * lines and a byte order mark are skipped. What has another form goes into `problems`, with its place.
 */
export function readCsv(file: string, text: string, problems: Problems): readonly (readonly Cell[])[] {
  const input = text.replace(/^\uFEFF/, '');
  const separator = separatorOf(input);
  const rows: Cell[][] = [];
  let row: Cell[] = [];
  let at = 0;
  let line = 1;
  let lineStart = 0;

  const here = (): { line: number; col: number } => ({ line, col: at - lineStart + 1 });
  const problem = (message: string, hint?: string): void => problems.add(invalid({ file, ...here() }, message, hint));
  const skipBlanks = (): void => {
    while (input[at] === ' ' || (input[at] === '\t' && separator !== '\t')) at++;
  };
  const endOfCell = (): boolean =>
    at >= input.length || input[at] === separator || /^\r?\n/.test(input.slice(at, at + 2));

  const quotedCell = (): string => {
    let content = '';
    const open = here();
    for (at++; at < input.length; at++) {
      if (input[at] === '"' && input[at + 1] !== '"') break;
      if (input[at] === '"') at++;
      content += input[at];
      if (input[at] === '\n') {
        line++;
        lineStart = at + 1;
      }
    }
    if (at >= input.length) problems.add(invalid({ file, ...open }, 'this quote is never closed'));
    at++;
    skipBlanks();
    if (endOfCell()) return content;
    problem('a cell goes on behind its closing quote', 'write a quote inside a quoted cell twice: ""');
    while (!endOfCell()) at++;
    return content;
  };

  const plainCell = (): string => {
    const start = at;
    for (; !endOfCell(); at++) {
      if (input[at] === '"')
        problem('a quote inside a cell without quotes', 'put the whole cell into quotes, this one twice');
    }
    return input.slice(start, at).trimEnd();
  };

  while (at < input.length) {
    skipBlanks();
    const place = here();
    row.push({ text: input[at] === '"' ? quotedCell() : plainCell(), ...place });
    if (input[at] === separator) {
      at++;
      // A separator that ends the text has an empty cell behind it.
      if (at < input.length) continue;
      row.push({ text: '', ...here() });
    }
    if (row.length > 1 || row[0]?.text !== '') rows.push(row);
    row = [];
    at = input.indexOf('\n', at) === -1 ? input.length : input.indexOf('\n', at) + 1;
    line++;
    lineStart = at;
  }
  return rows;
}

function separatorOf(text: string): string {
  const first =
    text
      .replace(/"[^"]*"/g, '')
      .split(/\r?\n/)
      .find((line) => line.trim() !== '') ?? '';
  const counts = SEPARATORS.map((separator) => first.split(separator).length);
  return SEPARATORS[counts.indexOf(Math.max(...counts))] ?? ',';
}
