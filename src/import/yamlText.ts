import { Document, isMap, isPair, isScalar, isSeq, type Pair, type Scalar, visit, type YAMLMap, YAMLSeq } from 'yaml';
import type { SiteDraft } from './draft.ts';

/** Where the comments beside keys begin, in columns. */
const COMMENT_COLUMN = 32;
const WIDEST = 100;
const WIDEST_WITH_COMMENT = 140;
/** Stands before a comment that goes beside its key: no value holds it. */
const BESIDE = '\u{e000}';

/** site.yaml as a person would have written it: keys in a reader's order, groups apart, comments beside what they tell of. */
export function siteYaml(
  { site, commentsAt }: Pick<SiteDraft, 'site' | 'commentsAt'>,
  header: readonly string[],
): string {
  const document = new Document(inOrder(site, SITE), { aliasDuplicateObjects: false });
  document.commentBefore = header.map((line) => ` ${line}`).join('\n');
  shape(document);
  comment(document, commentsAt);
  return besideKeys(print(document));
}

/** An image recipe, images/NAME.yaml. */
export function plainYaml(value: unknown): string {
  const document = new Document(value, { aliasDuplicateObjects: false });
  shape(document);
  return print(document);
}

/** Lists come as `[a, b]` and maps as `{ a: b }`, as in the examples. */
function print(document: Document): string {
  const text = document.toString({ lineWidth: 0, flowCollectionPadding: true });
  return text.replace(/^( *(?:- )?[\w.-]+: )\[ (.*) \]$/gm, '$1[$2]');
}

/** Keys in the order of reading; those that are not listed come last. `each` is for the entries of a map or a list. */
type Order = {
  readonly keys?: readonly string[];
  readonly in?: { readonly [key: string]: Order };
  readonly each?: Order;
};

const BOOTING = [
  'image',
  'boot',
  'loader',
  'nextServer',
  'bootFile',
  'kernelArgs',
  'overlays',
  'services',
  'vars',
  'options',
];
const POOL: Order = {
  keys: ['range', 'allow', 'deny', 'lease', 'minLease', 'maxLease', 'nextServer', 'bootFile', 'options'],
};
const SITE: Order = {
  keys: ['site', 'networks', 'classes', 'profiles', 'nodes', 'menu', 'tftp', 'http', 'dhcp', 'log'],
  in: {
    networks: {
      each: {
        keys: [
          ...[
            'interface',
            'subnet',
            'server',
            'gateway',
            'broadcast',
            'dns',
            'ntp',
            'domain',
            'search',
            'mtu',
            'routes',
          ],
          ...['lease', 'minLease', 'maxLease', 'pools', 'nextServer', 'bootFile', 'options'],
        ],
        in: { pools: { each: POOL } },
      },
    },
    classes: {
      each: {
        keys: [
          ...['macs', 'vendorClass', 'userClass', 'arch', 'circuitId', 'remoteId', 'lease', 'minLease', 'maxLease'],
          ...['nextServer', 'bootFile'],
          'options',
        ],
      },
    },
    profiles: { each: { keys: BOOTING } },
    nodes: { each: { keys: ['mac', 'ip', 'profiles', ...BOOTING] } },
  },
};

function inOrder(value: unknown, order: Order): unknown {
  if (Array.isArray(value)) return value.map((item) => inOrder(item, order.each ?? {}));
  if (typeof value !== 'object' || value === null) return value;
  const rank = (key: string) => {
    const at = order.keys?.indexOf(key) ?? -1;
    return at === -1 ? Number.MAX_SAFE_INTEGER : at;
  };
  const entries = Object.entries(value).filter(([, held]) => held !== undefined);
  if (order.keys !== undefined) entries.sort(([a], [b]) => rank(a) - rank(b));
  return Object.fromEntries(entries.map(([key, held]) => [key, inOrder(held, order.in?.[key] ?? order.each ?? {})]));
}

/** Short lists and small maps go on one line; sections and their larger entries are set apart by blank lines. */
function shape(document: Document): void {
  visit(document, {
    Collection(_, node, path) {
      const isSmall = JSON.stringify(node).length <= WIDEST - 2 * path.length;
      if (isSeq(node)) node.flow = isSmall && node.items.length > 0 && node.items.every(isScalar);
      else if (isMap(node)) node.flow = isSmall && isInline(node, path);
      if (node.items.length === 0) node.flow = true;
    },
  });
  if (!isMap(document.contents)) return;
  for (const [i, section] of document.contents.items.entries()) {
    if (i > 0) apart(section);
    const name = keyText(section);
    if (!SPREAD.has(name) || !isMap(section.value)) continue;
    for (const [j, entry] of section.value.items.entries()) if (j > 0) apart(entry);
  }
}

/** Sections whose entries are many lines each. */
const SPREAD = new Set(['networks', 'classes', 'profiles']);

/** What says the form of a value: `{ hex: 01:02 }`. */
const FORMS = new Set(['hex', 'text', 'ip', 'ips', 'u8', 'u16', 'u32', 'i32', 'flag', 'names']);

/** A map of one line: a value of `options:`, an item of a list, a menu entry; not one that has maps or long lists itself. */
function isInline(map: YAMLMap, path: readonly unknown[]): boolean {
  const holdsMaps = map.items.some(({ value }) => isMap(value) || (value instanceof YAMLSeq && value.items.length > 4));
  if (holdsMaps) return false;
  if (path.at(-1) instanceof YAMLSeq) return !map.has('range');
  const [menu, entries] = [path.at(-5), path.at(-3)];
  const isEntry = isPair(entries) && keyText(entries) === 'entries' && isPair(menu);
  return isEntry || (map.items.length === 1 && FORMS.has(String((map.items[0]?.key as Scalar | undefined)?.value)));
}

function comment(document: Document, commentsAt: SiteDraft['commentsAt']): void {
  visit(document, {
    Pair(_, pair, path) {
      const way = [...path.filter(isPair), pair].map(keyText);
      const lines = commentsAt(way);
      if (lines.length === 0) return;
      const mark = lines.length === 1 ? BESIDE : ' ';
      (pair.key as Scalar).commentBefore = lines.map((line) => `${mark}${line}`).join('\n');
    },
  });
}

/** Moves the comments that are marked so from the line above their key to the end of its line, where there is room. */
function besideKeys(text: string): string {
  return text.replace(
    new RegExp(`^( *)#${BESIDE}(.*)\n(.*)$`, 'gmu'),
    (_, indent: string, words: string, line: string) => {
      const beside = `${line.padEnd(COMMENT_COLUMN - 1)} # ${words}`;
      return beside.length <= WIDEST_WITH_COMMENT ? beside : `${indent}# ${words}\n${line}`;
    },
  );
}

function apart(pair: Pair): void {
  (pair.key as Scalar).spaceBefore = true;
}

function keyText({ key }: Pair): string {
  return isScalar(key) ? String(key.value) : String(key);
}
