import { ReveilleError } from '../errors.ts';
import { type BootServer, bootUrl, serverUrl } from '../model/bootServer.ts';
import { formatIpv4 } from '../model/ipv4.ts';
import type { SiteNode } from '../model/node.ts';
import type { Site } from '../site/site.ts';
import { type Bundle, makeBundle } from './bundle.ts';
import type { Credentials } from './credentials.ts';
import { sharedHosts } from './hosts.ts';
import { type Identities, privateKeysOf } from './identity.ts';
import { factsOf, type Inventory } from './inventory.ts';
import type { Peers } from './peers.ts';
import { askedBy, renderFiles } from './render.ts';
import { SecretMask } from './secretMask.ts';
import { hashesOfLarge } from './sha256.ts';
import type { SiteSecrets } from './siteSecrets.ts';
import { readSources } from './sources.ts';
import type { Renderer } from './templates.ts';

/** The inputs of bundles that are the same for all nodes. */
export type BundleMeans = {
  readonly secrets: SiteSecrets;
  readonly identities: Pick<Identities, 'of'>;
  readonly credentialsOf: (site: Site, node: SiteNode) => Promise<Credentials>;
  readonly peersOf: (site: Site, node: SiteNode) => Promise<Peers>;
  readonly renderer: Renderer;
};

/**
 * A node's bundle as the site is on disk now: its files read and rendered. `server` is where the node reaches this server;
 * `inventory` is absent until the machine has reported it. Throws SITE_INVALID, TEMPLATE_INVALID or SECRET_INVALID with the place of
 * the fault, SECRET_MISSING with the secret's name; no message contains a secret's value.
 */
export async function nodeBundle(
  site: Site,
  declared: SiteNode,
  { inventory, server }: { readonly inventory: Inventory | undefined; readonly server: BootServer },
  { secrets, identities, credentialsOf, peersOf, renderer }: BundleMeans,
): Promise<Bundle> {
  const { vars, values, raw } = await secrets.reveal(declared.vars);
  const node = { ...declared, vars };
  let mask = SecretMask.of(values);
  try {
    const { sources, folders, hooks } = await readSources(site, node);
    const urls = { ip: formatIpv4(server.ip), url: serverUrl(server), bootUrl: bootUrl(server) };
    const facts = inventory && factsOf(inventory);
    const asked = askedBy(node, sources);
    const own = asked.identity && (await identities.of(node.name, asked.identity));
    const identity = own && asked.identity?.tls ? { ...own, tls: await credentialsOf(site, declared) } : own;
    if (identity) mask = SecretMask.of(values, privateKeysOf(identity));
    const peers = asked.peers ? await peersOf(site, declared) : undefined;
    const checked = [...values].filter((value) => !raw.has(value));
    const files = renderFiles(
      { site, node, sources, folders, facts, identity, peers, server: urls, secrets: checked },
      renderer,
    );
    const { settingsSeconds } = node;
    const shared = sharedHosts(site);
    const contents = files.flatMap((file) =>
      'content' in file && file.content !== shared.content ? [file.content] : [],
    );
    const hashes = new Map([...(await hashesOfLarge(contents)), [shared.content, shared.sha256]]);
    return makeBundle(files, hooks, mask, settingsSeconds === undefined ? {} : { settingsSeconds }, hashes);
  } catch (error) {
    throw withoutSecrets(error, mask);
  }
}

/** A template's refusal may quote a value. */
export function withoutSecrets(error: unknown, mask: SecretMask): unknown {
  if (!(error instanceof ReveilleError)) return error;
  const { code, message, hint, place } = error;
  // Without the cause, which has the same words.
  return new ReveilleError(code, mask.mask(message), {
    ...(hint === undefined ? {} : { hint: mask.mask(hint) }),
    ...(place === undefined ? {} : { place }),
  });
}
