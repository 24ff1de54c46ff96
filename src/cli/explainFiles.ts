import { ReveilleError } from '../errors.ts';
import { bootUrl, serverUrl } from '../model/bootServer.ts';
import { formatIpv4 } from '../model/ipv4.ts';
import type { SiteNode } from '../model/node.ts';
import type { BundleFile } from '../node/bundle.ts';
import { ANY_SERVER } from '../node/check.ts';
import { type Identity, identityFrom, isWhole, masked, SAMPLE_IDENTITY } from '../node/identity.ts';
import type { IdentityParts } from '../node/identityStore.ts';
import { factsOf, type Inventory } from '../node/inventory.ts';
import { sampleFacts } from '../node/net.ts';
import { SAMPLE_PEERS } from '../node/peers.ts';
import { askedBy, renderFiles } from '../node/render.ts';
import { readSources } from '../node/sources.ts';
import { createRenderer } from '../node/templates.ts';
import type { Site } from '../site/site.ts';
import type { Store } from '../state/store.ts';
import { paint } from './print.ts';
import { table } from './table.ts';

/** What the state knows of a node that its files are made from. */
export type KnownOfNode = { readonly inventory?: Inventory; readonly identity: IdentityParts };

/** A node's files as they would be laid now, private keys left out, and what had to be made up for them. */
export type ExplainedFiles = {
  readonly node: string;
  readonly files: readonly BundleFile[];
  readonly by: (file: BundleFile) => string | undefined;
  readonly notes: readonly string[];
};

/** Reads what `explainFiles` needs of the state. */
export async function knownOfNodes(
  store: Store,
  nodes: readonly SiteNode[],
): Promise<ReadonlyMap<string, KnownOfNode>> {
  const inventories = await store.inventories.read();
  const known = new Map<string, KnownOfNode>();
  for (const { name, macs } of nodes) {
    const inventory = inventories.get(macs[0])?.inventory;
    known.set(name, { ...(inventory ? { inventory } : {}), identity: await store.identities.read(name) });
  }
  return known;
}

/** Renders a node's files. Throws SITE_INVALID or TEMPLATE_INVALID with the place of what is wrong. */
export async function explainFiles(
  site: Site,
  node: SiteNode,
  known: KnownOfNode | undefined,
): Promise<ExplainedFiles> {
  const { sources, folders } = await readSources(site, node);
  const server = serverOf(site, node);
  const made = known !== undefined && isWhole(known.identity);
  const asked = askedBy(node, sources);
  const files = renderFiles(
    {
      site,
      node,
      sources,
      folders,
      facts: known?.inventory ? factsOf(known.inventory) : sampleFacts(node),
      identity: made ? shownIdentity(known.identity) : SAMPLE_IDENTITY,
      peers: SAMPLE_PEERS,
      server: server ?? ANY_SERVER,
    },
    createRenderer(),
  );
  const notes = [
    ...(known?.inventory ? [] : ['it has not reported its hardware yet: network cards are samples']),
    ...(server ? [] : ["this server's address in its network is not known here: it is a sample"]),
    ...(made ? [] : ['its identity is made at its first boot: this one is a sample']),
    ...(asked.peers ? ["its peers' keys are samples: the running server puts them together"] : []),
    ...(made && asked.identity?.tls ? ['its certificate is a sample: the running server signs it'] : []),
  ];
  return {
    node: node.name,
    files: [...files].sort((a, b) => (a.path < b.path ? -1 : 1)),
    by: (file) => namedBy(node, file.origin),
    notes,
  };
}

/** The list of files: path, mode, owner, size, and who gives each. */
export function filesText({ node, files, by, notes }: ExplainedFiles): string {
  const rows = files.map((file) => [
    'folder' in file ? `${file.path}/` : file.path,
    ...('replace' in file ? ['-', '-'] : [octal(file.mode), `${file.owner}:${file.group}`]),
    sizeWords(file),
    [file.origin, by(file)].filter((words) => words !== undefined).join(', by '),
  ]);
  const [heading = '', ...lines] = table([['FILE', 'MODE', 'OWNER', 'BYTES', 'FROM'], ...rows]).split('\n');
  return [
    `${paint('bold', node)} gets ${files.filter((file) => !('folder' in file)).length} files`,
    ...notes.map((note) => paint('yellow', `  ${note}`)),
    paint('bold', heading),
    ...lines,
  ].join('\n');
}

/** The same for programs. */
export function filesJson({ node, files, by, notes }: ExplainedFiles) {
  return {
    node,
    notes,
    files: files.map((file) => ({
      path: file.path,
      ...('replace' in file
        ? { kind: 'replace', tokens: Object.fromEntries(file.replace) }
        : { mode: octal(file.mode), owner: file.owner, group: file.group }),
      ...('content' in file ? { kind: 'file', bytes: file.content.length } : {}),
      ...('folder' in file ? { kind: 'folder' } : {}),
      ...('target' in file ? { kind: 'link', target: file.target } : {}),
      origin: file.origin,
      by: by(file) ?? null,
    })),
  };
}

/** What would stand in the file at `path`. Throws FILE_MISSING. */
export function fileContent({ node, files }: ExplainedFiles, path: string): Uint8Array {
  const file = files.find((one) => one.path === path && !('folder' in one));
  if (file === undefined) {
    const hint = `list them with \`reveille explain ${node} --files\``;
    throw new ReveilleError('FILE_MISSING', `${node} gets no file ${path}`, { hint });
  }
  if ('content' in file) return file.content;
  if ('target' in file) return Buffer.from(`a link to ${file.target}\n`);
  if ('folder' in file) return Buffer.from('a folder\n');
  const tokens = [...file.replace].map(([token, value]) => `${token} -> ${value}\n`);
  return Buffer.from(`the file of the image, with\n${tokens.join('')}`);
}

/** What is private stays so; what does not exist yet is shown as a sample. */
function shownIdentity(parts: IdentityParts): Identity {
  const { sshHostKeys, ...identity } = masked(identityFrom(parts));
  return { ...SAMPLE_IDENTITY, ...identity, sshHostKeys: { ...SAMPLE_IDENTITY.sshHostKeys, ...sshHostKeys } };
}

function serverOf(site: Site, node: SiteNode) {
  const ip = site.networks.get(node.network ?? '')?.server;
  if (ip === undefined) return undefined;
  const server = { ip, httpPort: site.http.port };
  return { ip: formatIpv4(ip), url: serverUrl(server), bootUrl: bootUrl(server) };
}

function namedBy(node: SiteNode, origin: string): string | undefined {
  const overlay = /^overlay (\S+)/.exec(origin)?.[1];
  return overlay === undefined ? undefined : node.overlayOrigins.get(overlay)?.by;
}

function sizeWords(file: BundleFile): string {
  if ('content' in file) return String(file.content.length);
  if ('folder' in file) return 'folder';
  return 'target' in file ? `-> ${file.target}` : `${file.replace.size} tokens`;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
