import { isMap, isScalar, type Node, type Pair, parse, parseDocument, type YAMLMap } from 'yaml';
import { ReveilleError } from '../errors.ts';
import type { Var } from '../model/node.ts';
import { Findings } from './finding.ts';
import { readYaml } from './yaml.ts';

/** An entry of `nodes:` to be written, spelled as an operator would. */
export type NodeText = {
  /** A name, or a range of them. */
  readonly key: string;
  readonly macs: readonly string[];
  readonly ip?: string;
  readonly profiles: readonly string[];
  readonly vars: { readonly [name: string]: Var };
};

/**
 * `text` of site.yaml with entries added below `nodes:`, after the last one with a similar name, else at the end. Nothing else
 * changes, and the new lines have the layout of their neighbours. Throws SITE_INVALID if an entry exists already or if `nodes:`
 * has a layout that cannot be extended.
 */
export function insertNodes(text: string, entries: readonly NodeText[]): string {
  const [first] = entries;
  if (first === undefined) return text;
  refuseTwins(text, entries);
  const document = parseDocument(text, { stringKeys: true, uniqueKeys: false, version: '1.2' });
  const root = document.contents;
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  if (root === null || isEmptyScalar(root)) return append(text, eol, nodesLines(entries, '  ', eol));
  if (!isMap(root) || root.flow) throw notEditable(entries, 'is not written as lines of keys');

  const pair = (root.items as Entry[]).find((item) => keyOf(item) === 'nodes');
  if (pair === undefined) return append(text, eol, nodesLines(entries, stepIn(text, root), eol));
  const { value } = pair;
  if (value === null || isEmptyScalar(value) || (isMap(value) && value.items.length === 0)) {
    return fillEmpty(text, pair, stepIn(text, root), eol, entries);
  }
  if (!isMap(value)) throw notEditable(entries, 'does not hold a map under nodes:');

  const after = lastAlike(value, first.key);
  if (value.flow) {
    const added = entries.map((entry) => `, ${flowPair(entry)}`).join('');
    return spliced(text, endOf(after), endOf(after), added);
  }
  const column = indentOf(text, after);
  if (column === undefined) throw notEditable(entries, 'has keys under nodes: that do not begin their lines');
  const lines = entries.flatMap((entry) => entryLines(entry, column, styleOf(text, after)));
  return insertLines(text, endOf(after), eol, lines);
}

/**
 * `text` without the entry of a node. Throws NODE_UNKNOWN if `nodes:` has no entry of this key, SITE_INVALID if the entry cannot
 * be removed by whole lines.
 */
export function removeNode(text: string, key: string): string {
  const root = parseDocument(text, { stringKeys: true, uniqueKeys: false, version: '1.2' }).contents;
  const nodes = isMap(root) ? (root.items as Entry[]).find((item) => keyOf(item) === 'nodes')?.value : undefined;
  const items = isMap(nodes) ? (nodes.items as Entry[]) : [];
  const entry = items.find((item) => keyOf(item) === key);
  if (entry === undefined) throw new ReveilleError('NODE_UNKNOWN', `nodes: has no entry ${JSON.stringify(key)}`);
  if (!isMap(nodes) || nodes.flow || items.length < 2 || indentOf(text, entry) === undefined) {
    throw new ReveilleError('SITE_INVALID', `the entry of ${key} does not stand in lines of its own among others`, {
      hint: 'take it out of site.yaml with an editor',
    });
  }
  const start = text.lastIndexOf('\n', (entry.key as Node).range?.[0] ?? 0) + 1;
  return text.slice(0, start) + text.slice(lineEnd(text, endOf(entry)));
}

type Entry = Pair<unknown, Node | null>;
type Style = { readonly flow: boolean; readonly step: string };

function refuseTwins(text: string, entries: readonly NodeText[]): void {
  const file = readYaml('site.yaml', text, new Findings());
  const nodes = (file.value as { nodes?: object } | null | undefined)?.nodes ?? {};
  for (const { key } of entries) {
    if (!Object.hasOwn(nodes, key)) continue;
    const place = file.keyPlace(['nodes', key]);
    throw new ReveilleError('SITE_INVALID', `there is an entry ${JSON.stringify(key)} already`, { place });
  }
}

function notEditable(entries: readonly NodeText[], why: string): ReveilleError {
  const lines = entries.flatMap((entry) => entryLines(entry, '  ', { flow: false, step: '  ' }));
  return new ReveilleError('SITE_INVALID', `site.yaml ${why}, so that it cannot be added to`, {
    hint: ['add it with an editor:', ...lines].join('\n'),
  });
}

/** Names that differ only in their numbers are similar: a new one goes after them. */
function lastAlike(nodes: YAMLMap, key: string): Entry {
  const items = nodes.items as unknown as readonly Entry[];
  const family = familyOf(key);
  const found = items.findLast((item) => familyOf(keyOf(item)) === family) ?? items.at(-1);
  if (found === undefined) throw new Error('a map without entries');
  return found;
}

/** A name without its numbers: common to the machines of one rack. */
export function familyOf(name: string): string {
  return name.replace(/\[[^\]]*\]|[0-9]+/g, '#');
}

function keyOf({ key }: Entry): string {
  return isScalar(key) ? String(key.value) : '';
}

function isEmptyScalar(node: Node): boolean {
  return isScalar(node) && node.value === null && !node.source;
}

/** The offset after the last character of an entry; comments that follow it do not belong to it. */
function endOf({ key, value }: Entry): number {
  const behindKey = (key as Node).range?.[1] ?? 0;
  if (value === null) return behindKey;
  if (isScalar(value) || (value as YAMLMap).flow || (value as YAMLMap).items === undefined) {
    return isEmptyScalar(value) ? Math.max(behindKey, value.range?.[0] ?? 0) : (value.range?.[1] ?? behindKey);
  }
  const last = (value as YAMLMap).items.at(-1) as unknown;
  if (last === undefined) return value.range?.[1] ?? behindKey;
  return isMap(value) ? endOf(last as Entry) : endOf({ key, value: last } as Entry);
}

/** The blanks before a key, if nothing else precedes it on its line. */
function indentOf(text: string, { key }: Entry): string | undefined {
  const start = (key as Node).range?.[0] ?? 0;
  const before = text.slice(text.lastIndexOf('\n', start - 1) + 1, start);
  return /^ *$/.test(before) ? before : undefined;
}

/** The layout of an entry: on one line in braces, or on lines indented by a step. */
function styleOf(text: string, entry: Entry): Style {
  const { value } = entry;
  if (!isMap(value)) return { flow: false, step: '  ' };
  if (value.flow) return { flow: true, step: '  ' };
  const [inner] = value.items as unknown as readonly Entry[];
  const outer = indentOf(text, entry) ?? '';
  const deeper = inner && indentOf(text, inner);
  return {
    flow: false,
    step: deeper !== undefined && deeper.length > outer.length ? deeper.slice(outer.length) : '  ',
  };
}

/** The indentation step of the file's own maps. */
function stepIn(text: string, root: YAMLMap): string {
  for (const item of root.items as unknown as readonly Entry[]) {
    if (isMap(item.value) && !item.value.flow) return styleOf(text, item).step;
  }
  return '  ';
}

function entryLines(entry: NodeText, indent: string, { flow, step }: Style): readonly string[] {
  if (flow) return [`${indent}${flowPair(entry)}`];
  const inner = pairsOf(entry, false).map((line) => `${indent}${step}${line}`);
  return [`${indent}${keyText(entry.key)}:`, ...inner];
}

function flowPair(entry: NodeText): string {
  return `${keyText(entry.key, true)}: { ${pairsOf(entry, true).join(', ')} }`;
}

function pairsOf({ macs, ip, profiles, vars }: NodeText, flow: boolean): readonly string[] {
  const [mac = '', ...more] = macs;
  return [
    ...(macs.length === 0
      ? []
      : [
          `mac: ${more.length === 0 ? valueText(mac, flow) : `[${macs.map((one) => valueText(one, true)).join(', ')}]`}`,
        ]),
    ...(ip === undefined ? [] : [`ip: ${valueText(ip, flow)}`]),
    ...(profiles.length === 0 ? [] : [`profiles: [${profiles.map((name) => valueText(name, true)).join(', ')}]`]),
    ...(Object.keys(vars).length === 0 ? [] : [`vars: ${flowText(vars)}`]),
  ];
}

function flowText(value: Var): string {
  if (typeof value === 'string') return valueText(value, true);
  if (Array.isArray(value)) return `[${value.map(flowText).join(', ')}]`;
  if (value === null || typeof value !== 'object') return String(value);
  return `{ ${Object.entries(value)
    .map(([key, inner]) => `${keyText(key, true)}: ${flowText(inner)}`)
    .join(', ')} }`;
}

/** Plain if YAML reads it back as the same text, else in quotes. */
function valueText(text: string, flow: boolean): string {
  return readsAs(flow ? `{ a: ${text} }` : `a: ${text}`, (read) => (read as { a?: unknown } | null)?.a === text)
    ? text
    : JSON.stringify(text);
}

function keyText(text: string, flow = false): string {
  const only = (read: unknown) => JSON.stringify(read) === JSON.stringify({ [text]: 1 });
  return readsAs(flow ? `{ ${text}: 1 }` : `${text}: 1`, only) ? text : JSON.stringify(text);
}

function readsAs(yaml: string, test: (value: unknown) => boolean): boolean {
  if (/[\r\n]/.test(yaml)) return false;
  try {
    return test(parse(yaml, { stringKeys: true, version: '1.2', logLevel: 'silent' }));
  } catch {
    return false;
  }
}

function nodesLines(entries: readonly NodeText[], step: string, eol: string): string {
  return ['nodes:', ...entries.flatMap((entry) => entryLines(entry, step, { flow: false, step }))].join(eol) + eol;
}

function append(text: string, eol: string, added: string): string {
  return text === '' || text.endsWith('\n') ? text + added : `${text}${eol}${added}`;
}

/** `nodes:` and `nodes: {}` get their first entries. */
function fillEmpty(text: string, pair: Entry, step: string, eol: string, entries: readonly NodeText[]): string {
  const { key, value } = pair;
  const outer = indentOf(text, pair) ?? '';
  const lines = entries.flatMap((entry) => entryLines(entry, outer + step, { flow: false, step }));
  const colon = text.indexOf(':', (key as Node).range?.[1] ?? 0) + 1;
  if (value === null || isEmptyScalar(value)) return insertLines(text, colon, eol, lines);
  return insertLines(spliced(text, colon, value.range?.[1] ?? colon, ''), colon, eol, lines);
}

/** Lines inserted after the line that contains `offset`. */
function insertLines(text: string, offset: number, eol: string, lines: readonly string[]): string {
  const at = lineEnd(text, offset);
  return spliced(text, at, at, (at > 0 && text[at - 1] !== '\n' ? eol : '') + lines.join(eol) + eol);
}

/** The offset behind the line break that ends the line of the character before `offset`. */
function lineEnd(text: string, offset: number): number {
  if (offset > 0 && text[offset - 1] === '\n') return offset;
  const end = text.indexOf('\n', offset);
  return end === -1 ? text.length : end + 1;
}

function spliced(text: string, from: number, to: number, added: string): string {
  return text.slice(0, from) + added + text.slice(to);
}
