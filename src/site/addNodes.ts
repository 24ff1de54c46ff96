import { type Place, ReveilleError } from '../errors.ts';
import { formatIpv4, type Ipv4, parseIpv4 } from '../model/ipv4.ts';
import type { Network } from '../model/network.ts';
import { readBrackets } from './brackets.ts';
import { editSite, type SiteEdit } from './edit.ts';
import { Findings, suggestion } from './finding.ts';
import { foldNames } from './foldNames.ts';
import { siteInvalid } from './invalid.ts';
import { type Loaded, loadSite } from './load.ts';
import { familyOf, insertNodes, type NodeText } from './nodeText.ts';
import { likelyNetwork, nextAddresses } from './propose.ts';
import type { Site } from './site.ts';
import { readYaml } from './yaml.ts';

/**
 * A node to be added, or a range of them. `ip: 'next'` means the next free address of `network`, or of the most likely network.
 * `place` is its place in a table, for findings.
 */
export type NewNode = NodeText & { readonly network?: string; readonly place?: Place };

/** The entry that was added, as it was written. */
export type Added = { readonly edit: SiteEdit; readonly entries: readonly NodeText[] };

/**
 * Adds nodes to site.yaml of the site in `folder` (see `insertNodes`, `editSite`), all or none. Throws SITE_INVALID, with nothing
 * written, if the site would not load or no address is found.
 */
export async function addNodes(
  folder: string,
  nodes: readonly NewNode[],
  options: { readonly dryRun?: boolean } = {},
): Promise<Added> {
  const before = await loadSite(folder);
  if (before.ok) refuseKnown(nodes, before.site);
  const entries = nodes.some(({ ip }) => ip === 'next') ? withAddresses(nodes, siteOf(folder, before)) : nodes;
  const check = (site: Site): void => {
    for (const { key } of entries) for (const name of wordsOf(key)) checkIsThere(site, name);
  };
  let looked = '';
  const change = (text: string): string => {
    looked = text;
    looked = insertNodes(text, entries);
    return looked;
  };
  try {
    return { edit: await editSite(folder, change, { ...options, check }), entries };
  } catch (error) {
    throw error instanceof ReveilleError ? inTable(error, nodes, looked) : error;
  }
}

/** A finding of a node from a table is reported at its place in the table. */
function inTable(error: ReveilleError, nodes: readonly NewNode[], text: string): ReveilleError {
  const { place, code, message, hint } = error;
  if (place?.file !== 'site.yaml' || nodes.every((node) => node.place === undefined)) return error;
  const file = readYaml('site.yaml', text, new Findings());
  const declared = Object.keys((file.value as { nodes?: object } | undefined)?.nodes ?? {});
  const lines = declared.map((key) => [file.keyPlace(['nodes', key]).line, key] as const);
  const [, key] = lines.filter(([line]) => line <= place.line).sort(([a], [b]) => b - a)[0] ?? [];
  const row = nodes.find((node) => node.key === key)?.place;
  if (row === undefined) return error;
  return new ReveilleError(code, message, { place: row, cause: error, ...(hint === undefined ? {} : { hint }) });
}

function checkIsThere(site: Site, name: string): void {
  if (site.nodes.has(name)) return;
  throw new ReveilleError('SITE_INVALID', `site.yaml cannot be added to: ${name} would not be in the site`, {
    hint: 'nothing was written; add it with an editor',
  });
}

function siteOf(folder: string, loaded: Loaded): Site {
  if (loaded.ok) return loaded.site;
  throw siteInvalid(folder, loaded.findings);
}

/** An entry for a node of a range would silently change that node. */
function refuseKnown(nodes: readonly NewNode[], site: Site): void {
  for (const { key, place } of nodes) {
    const known = wordsOf(key).find((name) => site.nodes.has(name));
    if (known === undefined) continue;
    throw new ReveilleError('SITE_INVALID', `the site has a node ${known} already`, {
      ...(place === undefined ? {} : { place }),
      hint: 'to change it, edit site.yaml: an entry of its own overrides a range',
    });
  }
}

/** Finds addresses for the nodes with `ip: 'next'`: at once for nodes with similar names, so that they are consecutive. */
function withAddresses(nodes: readonly NewNode[], site: Site): readonly NodeText[] {
  const reserved = new Set(
    nodes.flatMap(({ ip = '' }) =>
      wordsOf(ip)
        .map(parseIpv4)
        .filter((one) => one !== undefined),
    ),
  );
  const wanting = nodes.filter(({ ip }) => ip === 'next');
  const found = new Map<NewNode, string>();
  for (const alike of Map.groupBy(wanting, ({ key, network }) => JSON.stringify([network, familyOf(key)])).values()) {
    const [{ key, network } = { key: '' }] = alike;
    const into = network === undefined ? likelyNetwork(site, key) : networkCalled(site, network);
    const counts = alike.map((node) => wordsOf(node.key).length);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const free = nextAddresses(site, into, key, total, reserved);
    let at = 0;
    for (const [i, node] of alike.entries()) {
      const own = free.slice(at, at + (counts[i] ?? 0));
      found.set(node, asOneText(own, node.key));
      at += own.length;
    }
    for (const ip of free) reserved.add(ip);
  }
  return nodes.map((node) => {
    const ip = found.get(node);
    return ip === undefined ? node : { ...node, ip };
  });
}

function networkCalled(site: Site, name: string): Network {
  const network = site.networks.get(name);
  if (network) return network;
  const hint = suggestion(name, [...site.networks.keys()], 'networks');
  throw new ReveilleError('SITE_INVALID', `there is no network "${name}"`, hint === undefined ? {} : { hint });
}

/** One address as it is, several as a range that expands to them in order. */
function asOneText(addresses: readonly Ipv4[], key: string): string {
  const texts = addresses.map(formatIpv4);
  const [folded = '', ...more] = foldNames(texts);
  if (more.length === 0 && wordsOf(folded).join() === texts.join()) return folded;
  throw new ReveilleError('SITE_INVALID', `the next free addresses do not make a range for ${key}`, {
    hint: `they are ${foldNames(texts).join(', ')}: name them with --ip, or add fewer nodes at once`,
  });
}

/** Without the unreadable ones: loading the site reports those. */
function wordsOf(text: string): readonly string[] {
  const word = readBrackets(text);
  return 'problem' in word ? [] : word.words();
}
