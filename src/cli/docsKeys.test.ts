import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { parseOverlayFile } from '../node/overlayFile.ts';
import { readOverlayVars } from '../node/overlayVars.ts';
import { Findings } from '../site/finding.ts';
import { jsonSchema } from '../site/jsonSchema.ts';
import { around, blocksIn, GUIDE, IMAGE_KEYS, SITE_KEYS, textOf, wordsInCode } from './testing/docsFixture.ts';

// A path of keys: `networks.*.pools.range`. A star stands for a name that the operator gives. What a profile may have, a node may
// have too: both are `node.*`.

/** What of a JSON Schema is looked at. */
type Schema = {
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  /** An earlier spelling, which is read and not shown. */
  readonly deprecated?: boolean;
};

function declared(schema: Schema, path = ''): readonly string[] {
  const { anyOf = [], properties = {}, additionalProperties, items } = schema;
  const inside = Object.entries(properties).filter(([, value]) => value.deprecated !== true);
  return [
    ...anyOf.flatMap((one) => declared(one, path)),
    ...inside.flatMap(([key, value]) => [below(path, key), ...declared(value, below(path, key))]),
    ...(typeof additionalProperties === 'object' ? declared(additionalProperties, below(path, '*')) : []),
    ...(items ? declared(items, path) : []),
  ];
}

const below = (path: string, key: string) => (path === '' ? key : `${path}.${key}`);
const asNode = (path: string) => path.replace(/^(profiles|nodes)\.[^.]+\./, 'node.*.');

/** What an unknown key in each place of an overlay.yaml is answered with: the keys that there are. */
function overlayKeys(): readonly string[] {
  const findings = new Findings();
  const places = { '/etc/x': 'path', hooks: 'hooks', vars: 'vars.*' };
  const file = parseOverlayFile(
    'overlay.yaml',
    '"/etc/x": { zz: 1 }\nhooks: [{ run: x, zz: 1 }]\nvars: { a: { about: x, zz: 1 } }\n',
    findings,
  );
  readOverlayVars(file.yaml, findings);
  const hints = findings.errors.map(({ hint = '' }) => hint.replace('known keys: ', '').split(', '));
  const inside = Object.values(places).flatMap((place, i) => hints[i]?.map((key) => `${place}.${key}`) ?? []);
  return ['about', ...inside];
}

/** Every path of keys of a value that is written in an example. */
function shown(value: unknown, path = ''): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item) => shown(item, path));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [below(path, key), ...shown(inner, below(path, key))]);
}

/** The examples of a page: blocks of YAML, and flow maps in the text such as `dhcp: { probe: arp }`. */
function examplesIn(page: string): readonly object[] {
  const blocks = blocksIn(page)
    .filter(({ language }) => language === 'yaml')
    .map(({ text }) => `${around(text)}${text}`);
  const flows = wordsInCode(page).filter((code) => /^[a-zA-Z]+: /.test(code));
  return [...blocks, ...flows].flatMap((text) => {
    try {
      const value: unknown = parse(text, { logLevel: 'silent' });
      return typeof value === 'object' && value !== null ? [value] : [];
    } catch {
      return [];
    }
  });
}

/** Paths in the first cells of tables: `networks.NAME.pools.minLease`; words in capitals are names that the operator gives. */
function rowsIn(page: string): readonly string[] {
  const cells = [...textOf(page).matchAll(/^\| (`[^|]*`) \|/gm)].map(([, cell = '']) => cell);
  return cells.flatMap((cell) => [...cell.matchAll(/`([\w.]+)`/g)].map(([, path = '']) => path));
}

/** Examples in tables that are headed by a key: `| \`from:\` |` above `| \`{ tar: root.tar.zst }\` |`. */
function flowRowsIn(page: string): readonly object[] {
  let key = '';
  return textOf(page)
    .split('\n')
    .flatMap((line) => {
      if (!line.startsWith('|')) key = '';
      const heading = /^\| `(\w+):` \|/.exec(line)?.[1];
      if (heading !== undefined) key = heading;
      const flow = /^\| `(\{[^|]*\})` \|/.exec(line)?.[1];
      return key === '' || flow === undefined ? [] : [parse(`${key}: ${flow}`) as object];
    });
}

/** Whether a path that a page shows is the declared one: stars fit any name. */
function isSame(path: string, declaredPath: string): boolean {
  const parts = path.split('.');
  const wanted = declaredPath.split('.');
  return parts.length === wanted.length && wanted.every((key, i) => key === '*' || key === parts[i]);
}

const shownInGuide = GUIDE.flatMap((page) => [
  ...rowsIn(page).flatMap((path) => [path.replaceAll(/\b[A-Z]+\b/g, '*'), `node.*.${path}`]),
  ...[...examplesIn(page), ...flowRowsIn(page)].flatMap((example) => {
    const [first = ''] = Object.keys(example);
    const paths = shown(example);
    if (SITE_KEYS.includes(first)) return paths;
    if (IMAGE_KEYS.includes(first)) return paths.map((path) => `image.${path}`);
    // Of a profile or a node, shown without the name above it.
    return [...paths.map((path) => `profiles.*.${path}`), ...paths.map((path) => `overlay.${path}`)];
  }),
]);

/** The declared paths that no example and no table of the guide shows. */
function missing(paths: readonly string[]): readonly string[] {
  const seen = shownInGuide.map(asNode);
  return [...new Set(paths.map(asNode))].filter((path) => !seen.some((one) => isSame(one, path)));
}

describe('the keys of files in the guide', () => {
  it('are all of site.yaml and profiles', () => {
    assert.deepEqual(missing(declared(jsonSchema('site') as Schema)), []);
  });

  it('are all of a recipe', () => {
    assert.deepEqual(missing(declared(jsonSchema('image') as Schema).map((key) => `image.${key}`)), []);
  });

  it('are all of an overlay.yaml', () => {
    const text = blocksIn('docs/overlays.md').find((block) =>
      block.text.startsWith('# overlays/web/overlay.yaml'),
    )?.text;
    const {
      '/etc/nginx/nginx.conf': path,
      vars,
      ...rest
    } = parse(text ?? '') as Record<string, Record<string, unknown>>;
    const there = [...shown({ ...rest, path }), ...Object.values(vars ?? {}).flatMap((one) => shown(one, 'vars.*'))];
    assert.deepEqual(
      overlayKeys().filter((key) => !there.includes(key)),
      [],
    );
  });

  it('would be noticed where one is missing', () => {
    assert.deepEqual(missing(['networks.*.subnet', 'networks.*.colour', 'nodes.*.bmc.kind', 'image.colour']), [
      'networks.*.colour',
      'image.colour',
    ]);
    assert.ok(declared(jsonSchema('site') as Schema).length > 130);
    assert.deepEqual(overlayKeys().slice(0, 6), [
      'about',
      'path.owner',
      'path.group',
      'path.mode',
      'hooks.files',
      'hooks.run',
    ]);
  });
});
