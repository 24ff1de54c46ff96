import { relative } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type Place, ReveilleError, wordsOf } from '../errors.ts';
import type { SiteNode } from '../model/node.ts';
import type { SecretSource } from '../model/secret.ts';
import { readRegular } from '../regularFile.ts';
import { Findings } from '../site/finding.ts';
import type { Site } from '../site/site.ts';
import { sampleFor } from './check.ts';
import { withoutSecrets } from './nodeBundle.ts';
import { renderFiles } from './render.ts';
import { SecretMask } from './secretMask.ts';
import { LONGEST_SECRET, type Revealed, SiteSecrets, secretValue } from './siteSecrets.ts';
import { readSources } from './sources.ts';
import { createRenderer, type Renderer } from './templates.ts';

/**
 * Checks the site's secrets without running anything: the form of those in files that can be read here, and whether their values
 * fit where variables use them. A file that is missing here may exist on the server.
 */
export async function checkSecrets(site: Site): Promise<Findings> {
  const findings = new Findings();
  const values = new Map<string, string>();
  for (const [name, source] of site.secrets) {
    const value = await valueHere(name, source, site.root, findings);
    if (value === undefined) continue;
    values.set(name, value);
    if (source.kind === 'file' && value.trim() !== value) {
      findings.warn(
        placeOf(source, site.root),
        `the secret ${name} begins or ends with a blank`,
        'it belongs to the value; files of many programs lose it',
      );
    }
  }
  await checkUses(site, values, findings);
  return findings;
}

function placeOf({ path }: SecretSource & { readonly kind: 'file' }, root: string): Place {
  const way = relative(root, path);
  return { file: way.startsWith('..') ? path : way, line: 1, col: 1 };
}

async function valueHere(
  name: string,
  source: SecretSource,
  root: string,
  findings: Findings,
): Promise<string | undefined> {
  if (source.kind !== 'file') return undefined;
  let bytes: Uint8Array;
  try {
    bytes = await readRegular(source.path, LONGEST_SECRET);
  } catch (error) {
    // A file that cannot be read here may be on the server, or readable only for the server.
    if (!(error instanceof Error && 'code' in error))
      findings.error(placeOf(source, root), `the secret ${name} cannot be had: ${wordsOf(error)}`);
    return undefined;
  }
  try {
    const value = secretValue(name, source, bytes, root);
    if (value === '') findings.error(placeOf(source, root), `the secret ${name} is empty`);
    return value || undefined;
  } catch (error) {
    note(error, findings);
    return undefined;
  }
}

/** Checks each text that uses a secret, with the known values, and a plain word for others. */
async function checkUses(site: Site, values: ReadonlyMap<string, string>, findings: Findings): Promise<void> {
  const env = Object.fromEntries([...site.secrets.keys()].map((name) => [name, values.get(name) ?? 'secret']));
  const secrets = new Map(
    [...site.secrets].map(([name, { place }]): [string, SecretSource] => [
      name,
      { kind: 'env', name, multiline: true, ...(place === undefined ? {} : { place }) },
    ]),
  );
  const known = new SiteSecrets(() => ({ ...site, secrets }), env);
  const reported = new Set<string>();
  const noteOnce = (error: unknown) => {
    const key = `tried ${error instanceof Error ? error.message : error}`;
    if (!reported.has(key)) note(error, findings);
    reported.add(key);
  };
  const renderer = createRenderer();
  let rendered = 0;
  for (const node of site.nodes.values()) {
    const words = JSON.stringify(node.vars);
    // The same variables in other overlays come into other files.
    const key = `${words}\n${node.overlays.join(' ')}\n${node.folders.join(' ')}`;
    if (reported.has(key) || !words.includes('secrets.')) continue;
    reported.add(key);
    const revealed = await known.reveal(node.vars).catch(noteOnce);
    if (revealed && rendered++ < MOST_RENDERED) await checkFiles(site, node, revealed, renderer).catch(noteOnce);
    await setImmediate();
  }
}

/** Throws SECRET_INVALID where a value breaks a file of the node. Everything else that is wrong with its files is found without secrets. */
async function checkFiles(
  site: Site,
  declared: SiteNode,
  { vars, values, raw }: Revealed,
  renderer: Renderer,
): Promise<void> {
  const node = { ...declared, vars };
  const secrets = [...values].filter((value) => !raw.has(value));
  try {
    const { sources, folders } = await readSources(site, node);
    renderFiles({ site, node, sources, folders, secrets, ...sampleFor(node) }, renderer);
  } catch (error) {
    if (error instanceof ReveilleError && error.code === 'SECRET_INVALID')
      throw withoutSecrets(error, SecretMask.of(values));
  }
}

/** Of a large site the rest is like these. */
const MOST_RENDERED = 500;

function note(error: unknown, findings: Findings): void {
  if (!(error instanceof ReveilleError) || error.place === undefined) throw error;
  findings.error(error.place, error.message, error.hint);
}
