import type { z } from 'zod';
import { Findings } from './finding.ts';
import { heldText } from './heldText.ts';
import { type Mark, markOf, readPlain } from './plainYaml.ts';
import { type NodeDeclaration, nodeSchema, type SiteDeclaration, siteSchema } from './schema.ts';
import { type Declared, hold, valueAt } from './shape.ts';
import type { ReadEntry } from './siteMemory.ts';
import { SiteMemory } from './siteMemory.ts';
import { type Path, placesIn, readYaml } from './yaml.ts';

const FILE = 'site.yaml';

/**
 * Reads the text of site.yaml and holds it against its schema, as `heldText` does and with the same result. The entries of `nodes:` are read
 * one by one, those that `memory` knows not again. Where anything is unusual or wrong, the whole text is read at once.
 */
export function heldSite(
  text: string,
  findings: Findings,
  memory: SiteMemory = new SiteMemory(),
): Declared<SiteDeclaration> | undefined {
  return heldByEntry(text, memory) ?? heldText(FILE, text, siteSchema, findings);
}

/** The text with no entries of `nodes:`, if they can be told apart. */
export function withoutNodes(text: string): string {
  const parts = partsOf(text);
  return parts === undefined ? text : text.slice(0, parts.line) + text.slice(parts.rest);
}

/** All of site.yaml but the entries of `nodes:`, and in which line it goes on behind them. */
export function aroundNodes(text: string): string {
  const parts = partsOf(text);
  if (parts === undefined) return text;
  const rest = text.slice(parts.rest);
  return `${text.slice(0, parts.line)}\n${rest === '' ? '' : text.slice(0, parts.rest).split('\n').length}\n${rest}`;
}

type Cut = { readonly start: number; readonly end: number };

/** The offsets of the line `nodes:`, of what follows it, of its entries and of the next section. */
type Parts = { readonly line: number; readonly body: number; readonly entries: readonly Cut[]; readonly rest: number };

type Entry = Cut & ReadEntry;

function heldByEntry(text: string, memory: SiteMemory): Declared<SiteDeclaration> | undefined {
  const parts = partsOf(text);
  if (parts === undefined) return undefined;
  const at = placesIn(FILE, text);
  const around = heldAround(text, parts, at);
  if (around === undefined) return undefined;
  const entries = new Map<string, Entry>();
  const read = new Map<string, ReadEntry>();
  for (const cut of parts.entries) {
    const part = text.slice(cut.start, cut.end);
    const one = memory.entry(part) ?? readEntry(part);
    if (one === undefined || entries.has(one.key)) return undefined;
    read.set(part, one);
    entries.set(one.key, { ...cut, ...one });
  }
  memory.keepEntries(read);

  const values = Object.fromEntries([...entries].map(([key, { value }]) => [key, value]));
  const nodes = Object.fromEntries([...entries].map(([key, { declared }]) => [key, declared]));
  const marks = new Map<Entry, EntryMarks>();
  const find = (path: Path): Mark => {
    const [, key, ...inner] = path;
    const entry = entries.get(String(key));
    if (entry === undefined) return { key: parts.line, value: firstKey(text, parts) };
    const own = marks.get(entry) ?? marksOf(text, entry);
    marks.set(entry, own);
    return own([entry.key, ...inner]);
  };
  return {
    value: { ...around.value, nodes },
    place: (path) => (path[0] === 'nodes' ? at(find(path).value) : around.place(path)),
    keyPlace: (path) => (path[0] === 'nodes' ? at(find(path).key) : around.keyPlace(path)),
    names: (path) => {
      if (path[0] !== 'nodes') return around.names(path);
      return Object.keys(valueAt(values, path.slice(1)) ?? {});
    },
    lost: () => false,
  };
}

/**
 * Takes the text apart at the line `nodes:` in the first column. Below it, each line in the column of the first key begins an entry,
 * and the next text in the first column another section. `undefined` if a line fits into neither.
 */
function partsOf(text: string): Parts | undefined {
  const found = /^nodes:[ ]*(?:#[^\n]*)?\n/m.exec(text);
  // An anchor may be meant by an alias in another entry.
  if (found === null || text.includes('&') || text.includes('\r') || text.includes('\t')) return undefined;
  const body = found.index + found[0].length;
  const starts: number[] = [];
  let column = 0;
  let rest = text.length;
  for (let line = body; line < text.length; ) {
    let first = line;
    while (text.charCodeAt(first) === SPACE) first++;
    const sign = text.charCodeAt(first);
    const end = text.indexOf('\n', first);
    if (sign !== HASH && sign !== NEWLINE && first < text.length) {
      if (first === line) {
        rest = line;
        break;
      }
      if (column === 0) column = first - line;
      if (first - line < column) return undefined;
      if (first - line === column) starts.push(line);
    }
    if (end === -1) break;
    line = end + 1;
  }
  if (starts.length === 0) return undefined;
  const entries = starts.map((start, i) => ({ start, end: starts[i + 1] ?? rest }));
  return { line: found.index, body, entries, rest };
}

const [SPACE, HASH, NEWLINE] = [0x20, 0x23, 0x0a];

/** The site without its nodes; `undefined` if anything is wrong with it, or if the line `nodes:` is no section of it. */
function heldAround(
  text: string,
  { line, body, rest }: Parts,
  at: (offset: number) => ReturnType<ReturnType<typeof placesIn>>,
): Declared<SiteDeclaration> | undefined {
  const NO_NODES = 'nodes: {}\n';
  const end = line + NO_NODES.length;
  const findings = new Findings();
  const file = readYaml(FILE, text.slice(0, line) + NO_NODES + text.slice(rest), findings, (offset) =>
    at(offset < end ? Math.min(offset, body) : offset - end + rest),
  );
  const isSection = 'nodes' in ((file.value ?? {}) as object) && file.keyPlace(['nodes']).line === at(line).line;
  const declared = isSection ? hold(file, siteSchema, findings) : undefined;
  return findings.errors.length > 0 ? undefined : declared;
}

function readEntry(part: string): ReadEntry | undefined {
  // A slice would keep the text of the whole file in memory for as long as the entry is known.
  const text = Buffer.from(part).toString();
  const map = readPlain(text) ?? readAlone(text);
  const [[key, value] = [], another] = Object.entries(map ?? {});
  if (key === undefined || another !== undefined) return undefined;
  const declared = declare(value);
  return declared && { key, value, declared };
}

/** A node's settings by their keys, each held against the schema of its own: most of a rack's nodes have the same profiles. */
function declare(value: unknown): NodeDeclaration | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const settings = value as Readonly<Record<string, unknown>>;
  if (!Object.keys(settings).every((key) => Object.hasOwn(nodeSchema.shape, key))) return undefined;
  const declared: Record<string, unknown> = {};
  for (const [key, schema] of SETTINGS) {
    if (!Object.hasOwn(settings, key)) {
      if (Object.hasOwn(DEFAULTS, key)) declared[key] = DEFAULTS[key];
      continue;
    }
    const result = schema.safeParse(settings[key]);
    if (!result.success) return undefined;
    declared[key] = result.data;
  }
  return declared as NodeDeclaration;
}

const SETTINGS: readonly (readonly [string, z.ZodType])[] = Object.entries(nodeSchema.shape);
/** What absent keys give. No code changes a declaration. */
const DEFAULTS: Readonly<Record<string, unknown>> = nodeSchema.parse({});

const HEAD = 'nodes:\n';

/** The map of one entry, read by the parser for all of YAML, as deep as it is in the file; `undefined` if anything is wrong with it. */
function readAlone(text: string): object | undefined {
  const findings = new Findings();
  const map = valueAt(readYaml(FILE, HEAD + text, findings).value, ['nodes']);
  const isMap = typeof map === 'object' && map !== null && !Array.isArray(map);
  return isMap && findings.errors.length === 0 ? map : undefined;
}

/** The offsets in the file of the key and the value at a path in an entry, or of what contains it. */
type EntryMarks = (path: Path) => Mark;

function marksOf(text: string, { start, end }: Cut): EntryMarks {
  const part = text.slice(start, end);
  const marks = new Map<string, Mark>();
  if (readPlain(part, marks) === undefined) {
    const offsetAsColumn = (offset: number) => ({ file: FILE, line: 1, col: start + offset - HEAD.length });
    const yaml = readYaml(FILE, HEAD + part, new Findings(), offsetAsColumn);
    return (path) => ({ key: yaml.keyPlace(['nodes', ...path]).col, value: yaml.place(['nodes', ...path]).col });
  }
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const mark = marks.get(markOf(path.slice(0, length)));
      if (mark) return { key: start + mark.key, value: start + mark.value };
    }
    return { key: start, value: start };
  };
}

function firstKey(text: string, { entries: [first] }: Parts): number {
  let at = first?.start ?? 0;
  while (text.charCodeAt(at) === SPACE) at++;
  return at;
}
