import { setImmediate } from 'node:timers/promises';
import { formatPlace, ReveilleError } from '../errors.ts';
import type { Finding } from '../model/finding.ts';
import type { Replacement, SiteNode } from '../model/node.ts';
import { Findings } from '../site/finding.ts';
import type { Site } from '../site/site.ts';
import { collisions, collisionWords, type Laid, laidOf } from './collisions.ts';
import { checkHostNames, HOST_NAME_PATH } from './hostNames.ts';
import { SAMPLE_IDENTITY } from './identity.ts';
import { sampleFacts } from './net.ts';
import { foldersBelow } from './overlays.ts';
import { SAMPLE_PEERS } from './peers.ts';
import { renderSource, templateText, visible } from './render.ts';
import { compileReplacement, renderedReplacements } from './replace.ts';
import { type Overlay, readNodeFolder, readOverlay, refuseSecrets, type Source, sourcesFor } from './sources.ts';
import { createRenderer, type Renderer } from './templates.ts';

/** One template is tried for at most this many nodes; a fault for one is mostly a fault for the first. */
const MOST_TRIED = 200;

/** The errors, warnings and notes of a site's overlays and node folders. */
export type CheckedFolders = Pick<Findings, 'errors' | 'warnings' | 'notes'>;

/** What is wrong with the files and templates of the site's overlays and node folders, as `checkFolders` finds it. */
export async function checkTemplates(site: Site, between?: () => Promise<void>): Promise<readonly Finding[]> {
  return (await checkFolders(site, between)).errors;
}

/**
 * Checks the files and templates of the site's overlays and node folders: every template is compiled, and rendered for nodes that
 * get it. The machine's own report (`facts`) is not known here, so a template that uses it is only compiled. `between` is awaited
 * before each overlay and each node folder.
 */
export async function checkFolders(site: Site, between?: () => Promise<void>): Promise<CheckedFolders> {
  const findings = new Findings();
  const renderer = createRenderer();
  const nodes = [...site.nodes.values()];
  // Overlays without users are checked too: they may get some.
  const own = await foldersBelow(site.root, 'overlays');
  const laid = new Map<string, readonly Laid[]>();
  const naming = new Map<string, (node: SiteNode) => Source | undefined>();
  for (const name of new Set([...own, ...nodes.flatMap((node) => node.overlays)])) {
    await between?.();
    const users = nodes.filter((node) => node.overlays.includes(name)).slice(0, MOST_TRIED);
    const overlay = await readOverlay(site.root, name, findings);
    await refuseSecrets(site, overlay.sources, findings);
    laid.set(`overlays/${name}`, laidOf(overlay.sources, overlay.folders));
    await checkOverlay(site, overlay, users, renderer, findings);
    const i = overlay.sources.findIndex(({ path }) => path === HOST_NAME_PATH);
    if (i >= 0) naming.set(`overlays/${name}`, (node) => givenBy(node, overlay)?.[i]);
  }
  const usersOf = Map.groupBy(
    nodes.flatMap((node) => node.folders.map((folder) => ({ node, folder }))),
    ({ folder }) => folder,
  );
  for (const folder of await foldersBelow(site.root, 'nodes')) {
    await between?.();
    const users = (usersOf.get(folder) ?? []).slice(0, MOST_TRIED).map(({ node }) => node);
    const { sources, folders } = await readNodeFolder(site.root, folder, findings);
    laid.set(`nodes/${folder}`, laidOf(sources, folders));
    await refuseSecrets(site, sources, findings);
    for (const source of sources) {
      if (source.path === HOST_NAME_PATH) naming.set(`nodes/${folder}`, () => source);
      await tryOut(findings, () => checkSource(site, source, renderer, () => users.map((node) => [node, source])));
    }
  }
  await checkReplacements(site, renderer, findings);
  await checkCollisions(nodes, laid, findings);
  const hostNameOf = (node: SiteNode) =>
    [...node.overlays.map((name) => `overlays/${name}`), ...node.folders.map((name) => `nodes/${name}`)]
      .map((origin) => naming.get(origin)?.(node))
      .findLast((source) => source !== undefined);
  checkHostNames(site, hostNameOf, (node) => visible(sampleOf(site, node)), renderer, findings);
  return findings;
}

/** An overlay's files as a node gets them; none if its variables do not fit, which is reported elsewhere. */
function givenBy(node: SiteNode, overlay: Overlay): readonly Source[] | undefined {
  try {
    return sourcesFor(node, overlay);
  } catch {
    return undefined;
  }
}

/** The overlay's templates, and whether its users' variables fit: reported once for each place that names the overlay. */
async function checkOverlay(
  site: Site,
  overlay: Overlay,
  users: readonly SiteNode[],
  renderer: Renderer,
  findings: Findings,
): Promise<void> {
  const served: (readonly [SiteNode, readonly Source[]])[] = [];
  const reported = new Set<string | undefined>();
  for (const node of users) {
    const by = node.overlayOrigins.get(overlay.name)?.by;
    const into = reported.has(by) ? new Findings() : findings;
    const fits = await tryOut(into, () => served.push([node, sourcesFor(node, overlay)]));
    if (!fits) reported.add(by);
  }
  for (const [i, source] of overlay.sources.entries()) {
    const forUsers = () => served.map(([node, sources]) => [node, sources[i] ?? source] as const);
    await tryOut(findings, () => checkSource(site, source, renderer, forUsers));
  }
}

/** The replacements of tokens in profiles and nodes, each reported once. */
async function checkReplacements(site: Site, renderer: Renderer, findings: Findings): Promise<void> {
  const byPlace = new Map<string, { readonly one: Replacement; readonly users: SiteNode[] }>();
  for (const node of site.nodes.values()) {
    for (const one of node.replace) {
      const where = formatPlace(one.place);
      const same = byPlace.get(where) ?? { one, users: [] };
      byPlace.set(where, same);
      same.users.push(node);
    }
  }
  for (const { one, users } of byPlace.values()) {
    await tryOut(findings, async () => {
      const nodes = /\bfacts\b/.test(one.value) ? [] : users.slice(0, MOST_TRIED);
      compileReplacement(one, renderer);
      for (const node of nodes) {
        renderedReplacements({ ...node, replace: [one] }, visible(sampleOf(site, node)), renderer);
        await setImmediate();
      }
    });
  }
}

/** Files of one origin where another of the same node needs a folder, each reported once. */
async function checkCollisions(
  nodes: readonly SiteNode[],
  laid: ReadonlyMap<string, readonly Laid[]>,
  findings: Findings,
): Promise<void> {
  const tried = new Set<string>();
  const reported = new Set<string>();
  for (const node of nodes) {
    const origins = [
      ...node.overlays.map((name) => `overlays/${name}`),
      ...node.folders.map((name) => `nodes/${name}`),
    ].filter((origin) => (laid.get(origin) ?? []).length > 0);
    const key = origins.join('\n');
    if (tried.has(key)) continue;
    tried.add(key);
    for (const collision of collisions(origins.flatMap((origin) => laid.get(origin) ?? []))) {
      const words = collisionWords(collision);
      if (reported.has(words[0])) continue;
      reported.add(words[0]);
      findings.error({ file: collision.outer.file, line: 1, col: 1 }, ...words);
    }
    await setImmediate();
  }
}

/** The same, the facts made only for who asks for them. */
function sampleOf(site: Site, node: SiteNode) {
  return {
    site,
    node,
    get facts() {
      return sampleFacts(node);
    },
    identity: SAMPLE_IDENTITY,
    peers: SAMPLE_PEERS,
    server: ANY_SERVER,
  };
}

/** Stands in for what only a running server and the machine itself know. */
export function sampleFor(node: SiteNode) {
  return { facts: sampleFacts(node), identity: SAMPLE_IDENTITY, peers: SAMPLE_PEERS, server: ANY_SERVER };
}

/**
 * Checks a file without a template; compiles a template and renders it for nodes that get it, each with the source as it gets it.
 */
async function checkSource(
  site: Site,
  source: Source,
  renderer: Renderer,
  users: () => readonly (readonly [SiteNode, Source])[],
): Promise<void> {
  if ('target' in source) return;
  if (!source.template) return void renderSource(source, {}, renderer);
  const text = templateText(source);
  renderer.compile(source.file, text);
  if (/\bfacts\b/.test(text)) return;
  for (const [node, given] of users()) {
    renderSource(given, visible(sampleOf(site, node)), renderer);
    // A server that checks its templates answers requests in between.
    await setImmediate();
  }
}

/** Runs `check`; an error with a place becomes a finding. False if it threw. */
async function tryOut(findings: Findings, check: () => unknown): Promise<boolean> {
  try {
    await check();
    return true;
  } catch (error) {
    if (!(error instanceof ReveilleError) || error.place === undefined) throw error;
    findings.error(error.place, error.message, error.hint);
    return false;
  }
}

/** Stands in for the address that a running server has. */
export const ANY_SERVER = { ip: '192.0.2.1', url: 'http://192.0.2.1:8080', bootUrl: 'http://192.0.2.1:8080/boot' };
