import { isSeq, parseDocument } from 'yaml';
import { ReveilleError } from '../errors.ts';

/** An item for a list of a recipe, and the comment that stands behind it. */
export type RecipeLine = { readonly item: string; readonly comment: string };

/**
 * Adds lines to the list `remove:` of a recipe's text, after those that are there. Everything else stays as it was written,
 * but for a list in brackets, which becomes one of lines. Throws RECIPE_INVALID for a text that is not YAML.
 */
export function addToRemove(text: string, lines: readonly RecipeLine[]): string {
  if (lines.length === 0) return text;
  const document = parseDocument(text, { version: '1.2' });
  if (document.errors.length > 0) {
    throw new ReveilleError('RECIPE_INVALID', `the recipe is not YAML: ${document.errors[0]?.message.split('\n')[0]}`);
  }
  const list = document.get('remove', true);
  const last = isSeq(list) ? (list.items.at(-1) as { range?: [number, number, number] } | undefined) : undefined;
  if (isSeq(list) && list.flow !== true && last?.range) {
    const from = text.lastIndexOf('\n', last.range[0] - 1) + 1;
    const indent = /^ */.exec(text.slice(from))?.[0] ?? '';
    const newline = text.indexOf('\n', last.range[1] - 1);
    const end = newline < 0 ? text.length : newline + 1;
    const before = newline < 0 ? `${text}\n` : text.slice(0, end);
    return before + written(lines, indent) + text.slice(end);
  }
  if (list === undefined || list === null) {
    return `${text.replace(/\n*$/, '\n')}\nremove:\n${written(lines, '  ')}`;
  }
  if (isSeq(list)) list.flow = false;
  for (const { item, comment } of lines) {
    const node = document.createNode(item);
    node.comment = ` ${comment}`;
    document.addIn(['remove'], node);
  }
  return document.toString({ lineWidth: 0 });
}

function written(lines: readonly RecipeLine[], indent: string): string {
  return lines.map(({ item, comment }) => `${indent}- ${scalar(item)} # ${comment}\n`).join('');
}

/** A path or a package's name as YAML: plain unless a sign in it would mean something. */
function scalar(item: string): string {
  return /^[/A-Za-z0-9][A-Za-z0-9/._+*?-]*$/.test(item) ? item : `'${item.replaceAll("'", "''")}'`;
}
