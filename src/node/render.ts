import { type Place, ReveilleError } from '../errors.ts';
import { formatIpv4, formatSubnet, netmaskOf } from '../model/ipv4.ts';
import type { Network } from '../model/network.ts';
import type { SiteNode } from '../model/node.ts';
import type { Site } from '../site/site.ts';
import { formedText, interpreterProblem, type TextKind, type TextProblem } from '../textForm.ts';
import { type BundleFile, SETTINGS_PATH } from './bundle.ts';
import { hostsFor, hostsOf } from './hosts.ts';
import type { Identity, Wanted } from './identity.ts';
import type { Facts } from './inventory.ts';
import { manyFiles } from './manyFiles.ts';
import { NET_KEYS, resolveNet, searchOf } from './net.ts';
import type { Peers } from './peers.ts';
import { replaceTokens } from './replace.ts';
import { breakage } from './secretPlace.ts';
import type { FolderSource, Source } from './sources.ts';
import { Budget, type Renderer } from './templates.ts';

/** The URLs at which the node reaches this server, without a slash at the end. */
export type ServerUrls = { readonly ip: string; readonly url: string; readonly bootUrl: string };

/** All inputs of a node's files. `facts` is absent until the machine has reported it. */
export type RenderFrom = {
  readonly site: Site;
  readonly node: SiteNode;
  readonly sources: readonly Source[];
  readonly folders?: readonly FolderSource[];
  readonly facts?: Facts | undefined;
  /** Needed if the templates ask for it (see `askedBy`). */
  readonly identity?: Identity | undefined;
  /** Likewise. */
  readonly peers?: Peers | undefined;
  readonly server?: ServerUrls | undefined;
  /** Values of secrets among the node's variables, except those that are deliberately raw. */
  readonly secrets?: readonly string[];
};

/**
 * The files of one node's bundle: generated ones, then the sources in order, of which later ones win, templates
 * rendered within one budget, tokens replaced. Pure. Throws TEMPLATE_INVALID with the place in the template.
 */
export function renderFiles(from: RenderFrom, renderer: Renderer): readonly BundleFile[] {
  const files = new Map<string, BundleFile>();
  for (const file of generated(from.site, from.node)) files.set(file.path, file);
  const winners = new Map(from.sources.map((source) => [source.path, source]));
  const sees = visible(from);
  const budget = Budget.forBundle();
  for (const source of from.sources) {
    if (winners.get(source.path) !== source) continue;
    for (const file of renderSource(source, sees, renderer, budget)) {
      files.set(file.path, file);
      if ('content' in source && source.template && 'content' in file) {
        refuseBreakage(Buffer.from(file.content).toString(), file.path, from, () => templatePlace(source));
      }
    }
  }
  replaceTokens(from.node, files, sees, renderer, budget);
  for (const { path, token, place } of from.node.replace) {
    const file = files.get(path);
    if (file && 'replace' in file) refuseBreakage(file.replace?.get(token) ?? '', path, from, () => place);
  }
  const folders = mergeFolders(from.folders ?? []).filter(({ path }) => !files.has(path));
  return [...files.values(), ...folders];
}

/**
 * One folder for each path: overlay.yaml takes precedence over the site's folders, and of overlay.yaml entries the last counts.
 */
function mergeFolders(sources: readonly FolderSource[]): readonly BundleFile[] {
  const merged = new Map<string, FolderSource>();
  for (const folder of sources) {
    const before = merged.get(folder.path);
    // Two folders of the site: private if either is private.
    const both =
      before && !before.declared && !folder.declared ? { ...folder, mode: folder.mode & before.mode } : folder;
    if (!before?.declared || folder.declared) merged.set(folder.path, both);
  }
  return [...merged.values()].map(({ file: _, declared, ...rest }) => ({
    ...rest,
    folder: declared ? 'declared' : 'default',
  }));
}

/** Throws SECRET_INVALID if a secret breaks the text around it. */
function refuseBreakage(text: string, path: string, { secrets = [] }: RenderFrom, place: () => Place): void {
  for (const value of secrets) {
    const how = breakage(value, text, path);
    if (how === undefined) continue;
    throw new ReveilleError('SECRET_INVALID', `a secret stands in ${path} ${how}`, {
      place: place(),
      hint: 'its value has characters that mean something there; filters that write them: urlencode, oslo, quote, to_json',
    });
  }
}

/** The line of a template that builds a URL from values, else its first. */
function templatePlace(source: Source & { readonly content: Uint8Array }): Place {
  const lines = templateText(source).split('\n');
  const line = lines.findIndex((one) => /:\/\/.*\{\{/.test(one));
  return { file: source.file, line: Math.max(1, line + 1), col: 1 };
}

/**
 * One source as the files that it makes: one, or as many as its template makes. Throws SITE_INVALID for text that would not work
 * there.
 */
export function renderSource(
  source: Source,
  sees: object,
  renderer: Renderer,
  budget = Budget.forBundle(),
): readonly BundleFile[] {
  const { file, path, mode, owner, group, origin } = source;
  const shared = { path, mode, owner, group, origin };
  if ('target' in source) return [{ ...shared, target: source.target }];
  if (!source.template) return [asRead({ ...shared, content: source.content }, file)];
  const text = templateText(source);
  const own = source.vars === undefined ? sees : { ...sees, vars: structuredClone(source.vars) };
  const made = source.several
    ? manyFiles({ ...shared, file }, (more) => renderer.render(file, text, { ...own, ...more }, budget))
    : [{ ...shared, content: Buffer.from(renderer.render(file, text, own, budget)) }];
  return made.map((one) => asRead(one, file));
}

/** Files that their readers on the node take as text, by path; all others are written byte for byte. */
const TEXTS: ReadonlyMap<string, TextKind> = new Map([
  ['/etc/hosts', 'hosts'],
  ['/etc/hostname', 'hostname'],
  [SETTINGS_PATH, 'script'],
]);

/** The same file in the form in which the node reads it; `from` is where it comes from. Throws SITE_INVALID where it has none. */
function asRead(file: BundleFile, from: string): BundleFile {
  if (!('content' in file)) return file;
  const kind = TEXTS.get(file.path);
  // A program in the place of the script.
  if (kind === undefined || (kind === 'script' && isProgram(file.content))) {
    const problem = (file.mode & 0o111) === 0 ? undefined : interpreterProblem(file.content);
    if (problem) throw textError(from, problem);
    return file;
  }
  const form = formedText(kind, file.content);
  if ('problem' in form) throw textError(from, form.problem);
  return { ...file, content: Buffer.from(form.text) };
}

function isProgram(content: Uint8Array): boolean {
  return content[0] === 0x7f && content[1] === 0x45 && content[2] === 0x4c && content[3] === 0x46;
}

function textError(file: string, { line, col, message, hint }: TextProblem): ReveilleError {
  return new ReveilleError('SITE_INVALID', message, { place: { file, line, col }, hint });
}

/** What a node's templates use, which must be obtained before they are rendered. */
export type Asked = {
  /** Absent: nothing of the node's identity. `tls` is the part that must be signed. */
  readonly identity?: Required<Wanted> & { readonly tls: boolean };
  readonly peers: boolean;
};

/** Finds in the text of a node's templates what they use. */
export function askedBy(node: SiteNode, sources: readonly Source[]): Asked {
  const templates = [
    ...sources.flatMap((source) => ('content' in source && source.template ? [templateText(source)] : [])),
    ...node.replace.map(({ value }) => value),
  ];
  const named = (word: RegExp) => templates.some((text) => word.test(text));
  const identity = {
    rsa: named(/\bsshHostKeys\b/),
    nova: named(/\bidentity\.novaKey\b/),
    tls: named(/\bidentity\.tls\b/),
  };
  return { ...(named(/\bidentity\b/) ? { identity } : {}), peers: named(/\bpeers\./) };
}

/** A template's text, its lines ending in LF. Throws TEMPLATE_INVALID with the place of what is no text. */
export function templateText(source: Source & { readonly content: Uint8Array }): string {
  const form = formedText('template', source.content);
  if ('text' in form) return form.text;
  const { line, col, message, hint } = form.problem;
  throw new ReveilleError('TEMPLATE_INVALID', message, { place: { file: source.file, line, col }, hint });
}

/**
 * What templates see. Copies: a template that changes a list does not affect others. Each is made when the first template uses it, since most
 * use few.
 */
export function visible(from: Omit<RenderFrom, 'sources'>): object {
  const { site, node } = from;
  const network = site.networks.get(node.network ?? '');
  const made: Partial<Record<'node' | 'vars' | 'site' | 'facts' | 'net' | 'identity', object | undefined>> = {};
  return {
    get node() {
      made.node ??= nodeView(node, site);
      return made.node;
    },
    get vars() {
      made.vars ??= structuredClone(node.vars);
      return made.vars;
    },
    network: network && networkView(network),
    get site() {
      made.site ??= siteView(site);
      return made.site;
    },
    server: from.server && { ...from.server },
    get facts() {
      made.facts ??= from.facts && structuredClone(from.facts);
      return made.facts;
    },
    get net() {
      made.net ??= lazily(NET_KEYS, () => resolveNet(node, network, from.facts));
      return made.net;
    },
    get identity() {
      made.identity ??= from.identity && structuredClone(from.identity);
      return made.identity;
    },
    peers: from.peers && { ...from.peers },
  };
}

function siteView(site: Site) {
  return {
    name: site.name,
    vars: structuredClone(site.vars),
    // Only made for templates that use it: a rack has many nodes.
    get nodes() {
      return [...site.nodes.values()].map((other) => nodeView(other, site));
    },
    get hosts() {
      return hostsOf(site);
    },
  };
}

/** An object whose values are made together, on first use: most templates use none. */
function lazily<T extends object>(keys: readonly (keyof T)[], make: () => T): T {
  let made: T | undefined;
  const get = (key: keyof T) => () => {
    made ??= make();
    return made[key];
  };
  const properties = keys.map((key) => [key, { enumerable: true, get: get(key) }]);
  return Object.defineProperties({}, Object.fromEntries(properties)) as T;
}

function nodeView(node: SiteNode, site: Site) {
  return {
    name: node.name,
    ip: node.ip === undefined ? undefined : formatIpv4(node.ip),
    mac: node.macs[0],
    macs: [...node.macs],
    network: node.network,
    domain: site.networks.get(node.network ?? '')?.domain,
    profiles: [...node.profiles],
    image: node.image,
    boot: node.boot,
    services: [...node.services],
    // Copied on use: a template that loops over all nodes mostly needs their names.
    get vars() {
      return structuredClone(node.vars);
    },
  };
}

function networkView(network: Network) {
  return {
    name: network.name,
    subnet: formatSubnet(network.subnet),
    address: formatIpv4(network.subnet.base),
    prefix: network.subnet.prefix,
    netmask: formatIpv4(netmaskOf(network.subnet.prefix)),
    broadcast: formatIpv4(network.broadcast),
    gateway: network.gateway === undefined ? undefined : formatIpv4(network.gateway),
    server: network.server === undefined ? undefined : formatIpv4(network.server),
    dns: network.dns.map(formatIpv4),
    ntp: network.ntp.map(formatIpv4),
    domain: network.domain,
    search: [...network.search],
    mtu: network.mtu,
  };
}

/**
 * Files that every node gets unless an overlay or its own folder sets them: its name, the names of all nodes, its name servers.
 */
function generated(site: Site, node: SiteNode): readonly BundleFile[] {
  const network = site.networks.get(node.network ?? '');
  return [
    generatedFile('/etc/hostname', `${node.name}\n`),
    generatedFile('/etc/hosts', hostsFor(site, node)),
    ...(network && network.dns.length > 0 ? [generatedFile('/etc/resolv.conf', resolvConf(network))] : []),
  ];
}

function generatedFile(path: string, text: string | Buffer): BundleFile {
  const content = typeof text === 'string' ? Buffer.from(text) : text;
  return { path, mode: 0o644, owner: 'root', group: 'root', origin: 'generated', content };
}

function resolvConf(network: Network): string {
  const search = searchOf(network);
  return [
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...network.dns.map((ip) => `nameserver ${formatIpv4(ip)}`),
    '',
  ].join('\n');
}
