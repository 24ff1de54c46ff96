import { basename, join, resolve } from 'node:path';
import { cleanName } from '../boot/confine.ts';
import type { DhcpSettings } from '../model/network.ts';
import { findUnbootable } from './bootable.ts';
import { resolveClasses } from './classes.ts';
import type { Findings } from './finding.ts';
import { warnOfMuch } from './fit.ts';
import type { ImageDeclaration } from './imageSchema.ts';
import type { KnownNodes } from './knownNodes.ts';
import { type PathKind, resolveMenu } from './menu.ts';
import { resolveNetworks } from './networks.ts';
import { resolveNodes } from './nodes.ts';
import { warnOfKept } from './pools.ts';
import { type ProfileSource, Profiles, type Referable, readSettings } from './profiles.ts';
import { resolveRecipes } from './recipe.ts';
import type { ProfileDeclaration, SiteDeclaration } from './schema.ts';
import { checkSecretNames, resolveSecrets } from './secrets.ts';
import type { Declared } from './shape.ts';
import type { ApiSettings, Site } from './site.ts';

/** The files of a site folder, read and checked against their schemas. */
export type SiteDocuments = {
  /** Absolute path of the site folder. */
  readonly root: string;
  readonly site: Declared<SiteDeclaration>;
  /** `profiles/NAME.yaml` and `images/NAME.yaml` by name; `undefined` if nothing in the file is usable. */
  readonly profiles: ReadonlyMap<string, Declared<ProfileDeclaration> | undefined>;
  readonly images: ReadonlyMap<string, Declared<ImageDeclaration> | undefined>;
  /** Names of the folders below overlays/ and nodes/. */
  readonly overlays: readonly string[];
  readonly nodeFolders: readonly string[];
  /** Names of the shipped overlays. */
  readonly shippedOverlays: readonly string[];
};

/**
 * Makes the site from its documents: defaults filled in, profiles merged, names looked up, addresses checked. All faults go into
 * `findings`; the site is valid only if there are no errors among them. `kindOf` returns what exists at a path of `namedPaths`; `knownNodes`
 * are those of an earlier reading.
 */
export function resolveSite(
  documents: SiteDocuments,
  kindOf: (path: string) => PathKind,
  knownNodes: KnownNodes,
  findings: Findings,
): Site {
  const { root, site } = documents;
  const { tftp, http, api, dhcp, log, cloud, vars } = site.value;
  const known: Referable = {
    images: [...documents.images.keys()],
    overlays: documents.overlays,
    shippedOverlays: documents.shippedOverlays,
    secrets: site.names(['secrets']),
    networks: site.names(['networks']),
    entries: site.lost(['menu', 'entries']) ? undefined : site.names(['menu', 'entries']),
  };
  const tftpRoot = tftp.root === undefined ? undefined : resolve(root, tftp.root);
  checkTftpRoot(tftpRoot, site, kindOf, findings);
  if (api !== undefined) checkApi(api, site, root, kindOf, findings);

  const secrets = resolveSecrets(site, root, findings);
  checkSecretNames(vars, site, ['vars'], known.secrets, findings);
  const networks = resolveNetworks(site, findings);
  const sources = profileSources(documents, findings);
  const profiles = new Profiles(sources, [...site.names(['profiles']), ...documents.profiles.keys()], known, findings);
  const nodes = resolveNodes(
    {
      site,
      networks,
      profiles,
      root,
      settingsAt: (declared, at) => readSettings(declared, site, at, `node ${at.at(-1)}`, known, findings),
      folders: documents.nodeFolders,
      known: knownNodes,
    },
    findings,
  );
  const resolved: Site = {
    name: site.value.site ?? basename(root),
    root,
    networks,
    classes: resolveClasses(site, findings),
    ...nodes,
    images: resolveRecipes(documents.images, root, kindOf, findings),
    vars,
    secrets,
    menu: resolveMenu(site, tftpRoot, kindOf, findings),
    tftp: {
      ...(tftpRoot === undefined ? {} : { root: tftpRoot }),
      singlePort: tftp.singlePort,
      maxTransfers: tftp.maxTransfers,
      maxTransfersPerClient: tftp.maxTransfersPerClient,
    },
    http,
    ...(api === undefined ? {} : { api: { ...api, tls: apiTls(api.tls, root) } }),
    dhcp: dhcpSettings(dhcp),
    log,
    ...(cloud === undefined
      ? {}
      : { cloud: { ...cloud, ...(cloud.file === undefined ? {} : { file: resolve(root, cloud.file) }) } }),
    refreshSeconds: site.value.refresh,
  };
  warnOfMuch(resolved, site, findings);
  warnOfKept(resolved, site, findings);
  findUnbootable(resolved, { site, profiles: sources }, findings);
  return resolved;
}

function apiTls(tls: ApiSettings['tls'], root: string): ApiSettings['tls'] {
  if (typeof tls === 'string') return tls;
  return { certificate: resolve(root, tls.certificate), key: resolve(root, tls.key) };
}

function dhcpSettings({ probeTime, ...settings }: SiteDeclaration['dhcp']): DhcpSettings {
  return { ...settings, probeMs: probeTime };
}

/** The absolute paths outside the site's own files that it names; their existence is checked on disk. */
export function namedPaths({ root, site, images }: SiteDocuments): readonly string[] {
  const { tftp, menu } = site.value;
  const paths: string[] = [];
  if (tftp.root !== undefined) {
    const tftpRoot = resolve(root, tftp.root);
    const files = Object.values(menu.entries).flatMap(({ kernel, initrd }) => [kernel, ...initrd]);
    const clean = files.map(cleanName).filter((file) => file !== undefined);
    paths.push(tftpRoot, ...clean.map((file) => join(tftpRoot, file)));
  }
  const tls = site.value.api?.tls;
  if (typeof tls === 'object') paths.push(resolve(root, tls.certificate), resolve(root, tls.key));
  for (const image of images.values()) {
    if (image === undefined) continue;
    const { from, keyring } = image.value;
    for (const path of [from?.tar, from?.oci, from?.disk, keyring])
      if (path !== undefined) paths.push(resolve(root, path));
  }
  return paths;
}

function profileSources({ site, profiles }: SiteDocuments, findings: Findings): readonly ProfileSource[] {
  const inSite = site.names(['profiles']);
  for (const name of inSite) {
    if (!profiles.has(name)) continue;
    const message = `profile "${name}" stands in profiles/${name}.yaml too`;
    findings.error(site.keyPlace(['profiles', name]), message, 'keep one of the two');
  }
  return [
    ...Object.entries(site.value.profiles).map(([name, declared]) => ({
      name,
      declared,
      document: site,
      at: ['profiles', name],
    })),
    ...[...profiles].flatMap(([name, document]) =>
      document === undefined ? [] : [{ name, declared: document.value, document, at: [] }],
    ),
  ];
}

function checkApi(
  { port, tls }: NonNullable<SiteDeclaration['api']>,
  site: Declared<SiteDeclaration>,
  root: string,
  kindOf: (path: string) => PathKind,
  findings: Findings,
): void {
  if (port === site.value.http.port)
    findings.error(site.place(['api', 'port']), `port ${port} is that of http too`, 'give the API another one');
  if (typeof tls === 'string') return;
  for (const name of ['certificate', 'key'] as const) {
    const path = resolve(root, tls[name]);
    if (kindOf(path) !== 'file') findings.error(site.place(['api', 'tls', name]), `there is no file ${path}`);
  }
}

function checkTftpRoot(
  root: string | undefined,
  site: Declared<SiteDeclaration>,
  kindOf: (path: string) => PathKind,
  findings: Findings,
): void {
  if (root === undefined || kindOf(root) === 'folder') return;
  const place = site.place(['tftp', 'root']);
  if (kindOf(root) === 'missing') findings.error(place, `there is no folder ${root}`, 'make it, or change tftp.root');
  else findings.error(place, `${root} is not a folder`);
}
