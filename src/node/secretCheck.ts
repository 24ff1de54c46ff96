import { relative } from 'node:path';
import { type Place, ReveilleError, wordsOf } from '../errors.ts';
import type { SecretSource } from '../model/secret.ts';
import { readRegular } from '../regularFile.ts';
import { Findings } from '../site/finding.ts';
import type { Site } from '../site/site.ts';
import { LONGEST_SECRET, openSiteSecrets, secretValue } from './siteSecrets.ts';

/**
 * What can be told of the site's secrets without running anything: the form of those in files that can be read here, and
 * whether their values fit where variables name them. A file that is not here may be where the server is.
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
    // A file that cannot be read here may be where the server is, or the server's alone.
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

/** Tries each text that names a secret, with those that are known here and a plain word for others. */
async function checkUses(site: Site, values: ReadonlyMap<string, string>, findings: Findings): Promise<void> {
  const env = Object.fromEntries([...site.secrets.keys()].map((name) => [name, values.get(name) ?? 'secret']));
  const secrets = new Map(
    [...site.secrets].map(([name, { place }]): [string, SecretSource] => [
      name,
      { kind: 'env', name, multiline: true, ...(place === undefined ? {} : { place }) },
    ]),
  );
  const known = openSiteSecrets(() => ({ ...site, secrets }), env);
  const told = new Set<string>();
  for (const { vars } of site.nodes.values()) {
    const words = JSON.stringify(vars);
    if (told.has(words) || !words.includes('secrets.')) continue;
    told.add(words);
    await known.reveal(vars).catch((error) => {
      const key = `tried ${error instanceof Error ? error.message : error}`;
      if (!told.has(key)) note(error, findings);
      told.add(key);
    });
  }
}

function note(error: unknown, findings: Findings): void {
  if (!(error instanceof ReveilleError) || error.place === undefined) throw error;
  findings.error(error.place, error.message, error.hint);
}
