/** What is wrong with how a line is indented. Lines and columns count from 1. */
export type IndentationSlip =
  | { readonly kind: 'tab'; readonly line: number; readonly col: number }
  /**
   * It is deeper than `compare`, the line before it, which opens no block; or it aligns with no line above: `compare` is the
   * nearest deeper one.
   */
  | { readonly kind: 'deeper' | 'between'; readonly line: number; readonly col: number; readonly compare: number };

type Level = { readonly indent: number; readonly line: number };

/**
 * Finds the first line of a YAML text with an impossible indentation. For texts that do not parse: the parser often reports a
 * line further up or down, in terms of its own grammar. `undefined` if the indentation is not the fault.
 */
export function indentationSlip(text: string): IndentationSlip | undefined {
  const levels: Level[] = [];
  let before: { readonly line: number; readonly opens: boolean } | undefined;
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
    if (/^(---|\.\.\.)(\s|$)/.test(content)) {
      levels.length = 0;
      before = undefined;
      continue;
    }
    const indent = indentation.length;
    const deepest = levels.at(-1);
    const inner = deepest !== undefined && indent > deepest.indent;
    if (inner && before && !before.opens) return { kind: 'deeper', line, col: indent + 1, compare: before.line };
    let nearest: Level | undefined;
    for (let top = levels.at(-1); top && top.indent > indent; top = levels.at(-1)) nearest = levels.pop();
    if (!inner && nearest && levels.at(-1)?.indent !== indent)
      return { kind: 'between', line, col: indent + 1, compare: nearest.line };
    // Each dash of `- - key:` begins a level of its own.
    let at = indent;
    let rest = content;
    pushLevel(levels, at, line);
    for (let dash = /^-\s+/.exec(rest); dash; dash = /^-\s+/.exec(rest)) {
      at += dash[0].length;
      rest = rest.slice(dash[0].length);
      pushLevel(levels, at, line);
    }
    if (/(^|[:\s-])[|>][-+0-9]*$/.test(rest)) scalarIndent = at;
    brackets = bracketsOpened(rest);
    before = { line, opens: opensBlock(rest) || scalarIndent !== undefined };
  }
  return undefined;
}

function pushLevel(levels: Level[], indent: number, line: number): void {
  if (levels.at(-1)?.indent !== indent) levels.push({ indent, line });
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
