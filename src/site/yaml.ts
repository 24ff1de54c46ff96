import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type ParsedNode,
  parseDocument,
  visit,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import type { Place } from '../errors.ts';
import { type Findings, quoted } from './finding.ts';
import { type IndentationSlip, indentationSlip } from './indentation.ts';

/** The path from a document's root to a value in it: keys of maps, indices of lists. */
export type Path = readonly (string | number)[];

/** One YAML file: its value as plain data, and the place of each part in the file. */
export type YamlFile = {
  readonly file: string;
  /** Maps, lists, text, finite numbers, booleans and nulls; a tree, never a graph. `undefined` if it does not parse. */
  readonly value: unknown;
  /** The place of the value at `path`: its key if it is empty, its parent if it is absent. */
  place(path: Path): Place;
  /** The place of the key that ends `path`. */
  keyPlace(path: Path): Place;
};

/**
 * Reads YAML 1.2 (one document). Faults go into `findings`; a file with a syntax error has no value. A duplicate key is an error.
 * Aliases are expanded, within limits that keep a small file from becoming a vast value. `at` gives the place of an offset, where
 * the text is a part of the file.
 */
export function readYaml(file: string, text: string, findings: Findings, at = placesIn(file, text)): YamlFile {
  const root = parse(text, at, findings);
  if (root === undefined) return { file, value: undefined, place: () => at(0), keyPlace: () => at(0) };

  const expansion = new Expansion(at, findings, text.length);
  const value = root === null ? null : expansion.valueOf(root, 0);

  const find = (path: Path): { key: number; value: number } => {
    let node: Node | null = root;
    let found = { key: 0, value: root?.range?.[0] ?? 0 };
    for (const part of path) {
      const held: Node | null = expansion.behind(node);
      const next = childOf(held, part);
      if (next === undefined) break;
      node = next.value;
      const start = expansion.behind(node);
      found = { key: next.key, value: start === null || isEmpty(start) ? next.key : (start.range?.[0] ?? next.key) };
    }
    return found;
  };
  return { file, value, place: (path) => at(find(path).value), keyPlace: (path) => at(find(path).key) };
}

const DEEPEST = 40;

function parse(text: string, at: (offset: number) => Place, findings: Findings): Node | null | undefined {
  try {
    const document = parseDocument(text, {
      prettyErrors: false,
      uniqueKeys: false,
      stringKeys: true,
      version: '1.2',
    });
    const [first] = [...document.errors, ...document.warnings];
    if (first === undefined) return document.contents;
    const slip = indentationSlip(text);
    // After the first error the parser is out of step: its later messages mislead.
    const open = unclosedBefore(document.contents, first);
    if (open !== undefined && (slip === undefined || at(open.offset).line <= slip.line))
      findings.error(at(open.offset), `this ${open.sign} is not closed`, `write the ${open.end} that belongs to it`);
    else if (slip === undefined) findings.error(at(first.pos[0]), `not YAML: ${first.message.split('\n')[0]}`);
    else findings.error({ file: at(0).file, line: slip.line, col: slip.col }, ...slipInWords(slip));
    return undefined;
  } catch {
    // The parser recurses: thousands of nested lists exhaust its stack.
    findings.error(at(0), 'not YAML that can be read: it is nested too deeply');
    return undefined;
  }
}

/** The quote or bracket that is still open where the parser gave up. */
function unclosedBefore(
  root: Node | null,
  { code, pos }: YAMLError,
): { readonly offset: number; readonly sign: string; readonly end: string } | undefined {
  const ends: Partial<Record<string, string>> = { '"': '"', "'": "'", '{': '}', '[': ']' };
  if (code !== 'MISSING_CHAR' && code !== 'BAD_INDENT') return undefined;
  let found: { offset: number; sign: string; end: string } | undefined;
  const look = (sign: string, range: Node['range']) => {
    const end = ends[sign];
    if (end && range && range[0] <= pos[0] && range[1] >= pos[0]) found = { offset: range[0], sign, end };
  };
  visit(root as ParsedNode, {
    Scalar: (_, { type, range }) => {
      if (type === 'QUOTE_DOUBLE') look('"', range);
      if (type === 'QUOTE_SINGLE') look("'", range);
    },
    Map: (_, { flow, range }) => {
      if (flow) look('{', range);
    },
    Seq: (_, { flow, range }) => {
      if (flow) look('[', range);
    },
  });
  return found;
}

function slipInWords(slip: IndentationSlip): readonly [message: string, hint: string] {
  switch (slip.kind) {
    case 'tab':
      return ['this line is indented with a tab', 'use spaces: YAML takes no tabs there'];
    case 'blank':
      return [
        'a blank that is no space stands here',
        'use spaces: this one came with copied text, and YAML takes it for a letter',
      ];
    case 'keyless':
      return ['this line is no key with a value', 'write key: value, with a colon and a space'];
    case 'dash':
      return ['no space follows the dash of this list item', 'write - key: value'];
    case 'deeper':
      return [
        `this line is indented deeper than line ${slip.compare}, which has a value already`,
        compare(slip.compare),
      ];
    case 'between':
      return ['this line is indented like no line above it', compare(slip.compare)];
  }
}

function compare(line: number): string {
  return `compare with line ${line}: what belongs together starts in the same column`;
}

/** Finds the line and column of an offset into `text`. */
export function placesIn(file: string, text: string): (offset: number) => Place {
  let found: readonly number[] | undefined;
  return (offset) => {
    found ??= lineStarts(text);
    const starts = found;
    let line = 0;
    let beyond = starts.length;
    while (beyond - line > 1) {
      const middle = (line + beyond) >>> 1;
      if ((starts[middle] ?? 0) <= offset) line = middle;
      else beyond = middle;
    }
    return { file, line: line + 1, col: offset - (starts[line] ?? 0) + 1 };
  };
}

function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', end + 1)) starts.push(end + 1);
  return starts;
}

/** Turns nodes into plain data, and records the node of each alias. */
class Expansion {
  readonly #at: (offset: number) => Place;
  readonly #findings: Findings;
  readonly #anchors = new Map<string, Node>();
  readonly #targets = new Map<Alias, Node>();
  #room: number;
  #reported = false;

  constructor(at: (offset: number) => Place, findings: Findings, length: number) {
    this.#at = at;
    this.#findings = findings;
    this.#room = 50_000 + length;
  }

  /** The target of an alias; any other node itself. */
  behind(node: Node | null): Node | null {
    return isAlias(node) ? (this.#targets.get(node) ?? null) : node;
  }

  valueOf(node: Node | null, depth: number): unknown {
    if (node === null) return null;
    if (--this.#room < 0 || depth > DEEPEST) return this.#tooMuch(node);
    if (isAlias(node)) {
      const target = this.#targets.get(node) ?? this.#anchors.get(node.source);
      if (target === undefined) {
        this.#findings.error(this.#at(offsetOf(node)), `alias *${node.source} stands for nothing`);
        return null;
      }
      this.#targets.set(node, target);
      return this.valueOf(target, depth + 1);
    }
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (isScalar(node)) return this.#scalar(node, node.value);
    if (isSeq(node)) return node.items.map((item) => this.valueOf(item as Node | null, depth + 1));
    if (isMap(node)) return this.#map(node.items as { key: unknown; value: Node | null }[], depth);
    return null;
  }

  #map(pairs: readonly { key: unknown; value: Node | null }[], depth: number): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    const lines = new Map<string, number>();
    for (const { key, value } of pairs) {
      const name = keyText(key);
      const start = offsetOf(key);
      const first = lines.get(name);
      if (first !== undefined) {
        this.#findings.error(
          this.#at(start),
          `key ${quoted(name)} is given twice`,
          `it stands in line ${first} already`,
        );
      } else if (name === '__proto__') {
        this.#findings.error(this.#at(start), 'no key may be called "__proto__"');
      } else {
        lines.set(name, this.#at(start).line);
        map[name] = this.valueOf(value, depth + 1);
      }
    }
    return map;
  }

  #scalar(node: Node, value: unknown): unknown {
    if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
    if (
      typeof value === 'number' &&
      Number.isFinite(value) &&
      (!Number.isInteger(value) || Number.isSafeInteger(value))
    )
      return value;
    this.#findings.error(
      this.#at(node.range?.[0] ?? 0),
      'this number cannot be kept exactly',
      'write it in quotes, as text',
    );
    return null;
  }

  #tooMuch(node: Node): null {
    if (!this.#reported) {
      const message = 'nested too deeply, or too much repeated by aliases';
      this.#findings.error(this.#at(node.range?.[0] ?? 0), message);
    }
    this.#reported = true;
    return null;
  }
}

function childOf(node: Node | null, part: string | number): { key: number; value: Node | null } | undefined {
  if (isMap(node)) {
    const pair = pairsOf(node).get(String(part));
    return pair === undefined ? undefined : { key: offsetOf(pair.key), value: pair.value as Node | null };
  }
  if (!isSeq(node)) return undefined;
  const item = node.items[Number(part)] as Node | null | undefined;
  return item === undefined ? undefined : { key: offsetOf(item), value: item };
}

const PAIRS = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>();

/** The pairs of a map by their keys, the first of each: maps of thousands of nodes are asked for each of them. */
function pairsOf(map: YAMLMap): ReadonlyMap<string, Pair> {
  const known = PAIRS.get(map);
  if (known !== undefined) return known;
  const pairs = new Map(map.items.toReversed().map((pair) => [keyText(pair.key), pair]));
  PAIRS.set(map, pairs);
  return pairs;
}

function keyText(key: unknown): string {
  return isScalar(key) ? String(key.value) : '';
}

function offsetOf(node: unknown): number {
  return (node as Node | null)?.range?.[0] ?? 0;
}

function isEmpty(node: Node): boolean {
  return isScalar(node) && node.value === null && node.source === '';
}
