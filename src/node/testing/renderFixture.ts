import { loadSite } from '../../site/load.ts';
import type { Site } from '../../site/site.ts';
import { findingText, type SiteFiles, withSiteFolder } from '../../site/testing/folderFixture.ts';
import type { BundleFile } from '../bundle.ts';
import { type Identity, SAMPLE_IDENTITY } from '../identity.ts';
import type { Facts } from '../inventory.ts';
import { type Peers, SAMPLE_PEERS } from '../peers.ts';
import { renderFiles } from '../render.ts';
import { readSources } from '../sources.ts';
import { createRenderer } from '../templates.ts';

const renderer = createRenderer();

/** The part of a node's site.yaml that matters to its overlays, with one network and two nodes around it. */
export function siteWith(overlays: readonly string[], vars: object, network: object = {}): SiteFiles {
  const site = {
    site: 'rack',
    networks: {
      openstack: {
        subnet: '10.0.0.0/24',
        server: '10.0.0.2',
        gateway: '10.0.0.1',
        dns: ['10.0.0.9'],
        domain: 'rack.example.org',
        ...network,
      },
    },
    profiles: { role: { overlays, vars } },
    nodes: {
      node01: { mac: '52:54:00:00:00:51', ip: '10.0.0.51', profiles: ['role'] },
      node02: { mac: '52:54:00:00:00:52', ip: '10.0.0.52', profiles: ['role'] },
    },
  };
  return { 'site.yaml': JSON.stringify(site) };
}

/** Loads a site that must be whole, and gives it to `use`. */
export function withSite<T>(files: SiteFiles, use: (site: Site) => Promise<T>): Promise<T> {
  return withSiteFolder(files, async (folder) => {
    const loaded = await loadSite(folder);
    if (!loaded.ok) throw new Error(loaded.findings.map(findingText).join('\n'));
    return use(loaded.site);
  });
}

/** The files that `node` of a site gets, by path. */
export async function filesOf(
  site: Site,
  name = 'node01',
  more: { readonly facts?: Facts; readonly identity?: Identity; readonly peers?: Peers } = {},
): Promise<ReadonlyMap<string, BundleFile>> {
  const node = site.nodes.get(name);
  if (node === undefined) throw new Error(`no node ${name}`);
  const files = renderFiles(
    {
      site,
      node,
      ...(await readSources(site, node)),
      identity: SAMPLE_IDENTITY,
      peers: SAMPLE_PEERS,
      ...more,
    },
    renderer,
  );
  return new Map(files.map((file) => [file.path, file]));
}

/** The text of one file among them. */
export function textOf(files: ReadonlyMap<string, BundleFile>, path: string): string {
  const file = files.get(path);
  if (file === undefined || !('content' in file)) throw new Error(`no file ${path}: ${[...files.keys()].join(' ')}`);
  return Buffer.from(file.content).toString();
}
