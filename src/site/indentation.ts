/** What is wrong with how a line is indented. Lines and columns count from 1. */
export type IndentationSlip =
  | { readonly kind: 'tab' | 'blank'; readonly line: number; readonly col: number }
  /** A line of a map that is no `key: value`; `-x` in the place of `- x`. */
  | { readonly kind: 'keyless' | 'dash'; readonly line: number; readonly col: number }
  /**
   * It is deeper than `compare`, the line before it, which opens no block; or it aligns with no line above: `compare` is the
   * nearest deeper one.
   */
  | { readonly kind: 'deeper' | 'between'; readonly line: number; readonly col: number; readonly compare: number };

type Before = { readonly line: number; readonly indent: number; readonly keyless: boolean; readonly opens: boolean };

type Level = { readonly indent: number; readonly line: number; readonly isList: boolean };

/**
 * Finds the first line of a YAML text with an impossible indentation. For texts that do not parse: the parser often reports a
 * line further up or down, in terms of its own grammar. `undefined` if the indentation is not the fault.
 */
export function indentationSlip(text: string): IndentationSlip | undefined {
  const levels: Level[] = [];
  let before: Before | undefined;
  /** Deeper lines are text of a block scalar. */
  let scalarIndent: number | undefined;
  let brackets = 0;
  for (const [index, whole] of text.split('\n').entries()) {
    const line = index + 1;
    const raw = whole.replace(/\r$/, '');
    const [indentation = ''] = /^[ \t]*/.exec(raw) ?? [];
    const content = withoutComment(raw.slice(indentation.length)).trimEnd();
    if (content === '' || brackets > 0) {
      brackets += bracketsOpened(content);
      continue;
    }
    const tab = indentation.indexOf('\t');
    if (scalarIndent !== undefined && (tab < 0 ? indentation.length > scalarIndent : tab > scalarIndent)) continue;
    scalarIndent = undefined;
    if (tab >= 0) return { kind: 'tab', line, col: tab + 1 };
    const blank = /^[^\S\t ]|(?<=^[A-Za-z][\w-]*:)[^\S\t ]/u.exec(content);
    if (blank) return { kind: 'blank', line, col: indentation.length + blank.index + 1 };
    if (/^-[A-Za-z][\w-]*:(\s|$)/.test(content)) return { kind: 'dash', line, col: indentation.length + 1 };
    const keyless = isKeyless(content);
    if (keyless && !isContinued(before, indentation.length))
      return { kind: 'keyless', line, col: indentation.length + 1 };
    if (/^(---|\.\.\.)(\s|$)/.test(content)) {
      levels.length = 0;
      before = undefined;
      continue;
    }
    const indent = indentation.length;
    const deepest = levels.at(-1);
    const inner = deepest !== undefined && indent > deepest.indent;
    if (before?.keyless && !keyless && indent >= before.indent)
      return { kind: 'keyless', line: before.line, col: before.indent + 1 };
    if (inner && before && !keyless && !before.opens)
      return { kind: 'deeper', line, col: indent + 1, compare: before.line };
    let nearest: Level | undefined;
    for (let top = levels.at(-1); top && top.indent > indent; top = levels.at(-1)) nearest = levels.pop();
    if (!inner && nearest && levels.at(-1)?.indent !== indent)
      return { kind: 'between', line, col: indent + 1, compare: nearest.line };
    const beside = levels.at(-1);
    if (beside?.isList && beside.indent === indent && !/^-(?:\s|$)/.test(content))
      return { kind: 'between', line, col: indent + 1, compare: beside.line };
    // Each dash of `- - key:` begins a level of its own.
    let at = indent;
    let rest = content;
    pushLevel(levels, at, line, /^-(?:\s|$)/.test(rest));
    for (let dash = /^-\s+/.exec(rest); dash; dash = /^-\s+/.exec(rest)) {
      at += dash[0].length;
      rest = rest.slice(dash[0].length);
      pushLevel(levels, at, line, /^-(?:\s|$)/.test(rest));
    }
    if (/(^|[:\s-])[|>][-+0-9]*$/.test(rest)) scalarIndent = at;
    brackets = bracketsOpened(rest);
    before = { line, indent: at, keyless, opens: opensBlock(rest) || scalarIndent !== undefined };
  }
  return undefined;
}

/** A key and perhaps its value, without the colon and the space that make them one. */
function isKeyless(content: string): boolean {
  return /^[A-Za-z]/.test(content) && !/:(?:\s|$)/.test(content.replace(/[[{"'].*$/, 'x'));
}

/** Whether a line may be more of the text of the one before: of a value, or the value itself below its key. */
function isContinued(before: Before | undefined, indent: number): boolean {
  return before !== undefined && indent > before.indent;
}

function pushLevel(levels: Level[], indent: number, line: number, isList: boolean): void {
  if (levels.at(-1)?.indent !== indent) levels.push({ indent, line, isList });
}

/** Whether deeper lines may follow: `key:`, `-`, `key: &anchor`, `? key`. */
function opensBlock(content: string): boolean {
  return content === '-' || content.startsWith('? ') || /:(\s+[&!]\S+)*$/.test(content);
}

/** How many more brackets a line opens than it closes, outside quotes. */
function bracketsOpened(content: string): number {
  const plain = content.replace(/"(\\.|[^"\\])*"|'[^']*'/g, '');
  return (plain.match(/[[{]/g) ?? []).length - (plain.match(/[\]}]/g) ?? []).length;
}

/** A comment begins at a `#` at the start or after a space, outside of quotes. */
function withoutComment(content: string): string {
  let quote = '';
  for (let i = 0; i < content.length; i++) {
    const sign = content[i] ?? '';
    if (quote !== '') {
      if (sign === '\\' && quote === '"') i++;
      else if (sign === quote) quote = '';
    } else if ((sign === '"' || sign === "'") && /(^|[\s:,[{-])$/.test(content.slice(0, i))) quote = sign;
    else if (sign === '#' && (i === 0 || /\s/.test(content[i - 1] ?? ''))) return content.slice(0, i);
  }
  return content;
}
