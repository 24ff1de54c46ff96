import { X509Certificate } from 'node:crypto';
import { inTurn } from '../inTurn.ts';
import type { Network } from '../model/network.ts';
import type { SiteNode } from '../model/node.ts';
import type { Site } from '../site/site.ts';
import type { CertificateStore } from './certificateStore.ts';
import { addressesOf } from './net.ts';
import { type SignedKey, type Subject, signKey } from './openssl.ts';

/** What a node proves its identity with by TLS, and checks others against; each PEM. */
export type Credentials = SignedKey & {
  /** The certificate of the site's authority, which signs those of its nodes. */
  readonly ca: string;
};

const DAY_MS = 86_400_000;
/** Long enough for a node that reboots once a year. */
const LIFE_MS = 3 * 365 * DAY_MS;
const AUTHORITY_LIFE_MS = 20 * 365 * DAY_MS;
/** How far a node's clock may be behind when it boots. */
const BACKDATED_MS = 2 * DAY_MS;

/**
 * Issues credentials over a store: made on first use, and again if less than a third of a certificate's life is left, the node's
 * names changed or the authority changed. `scratch` is a private folder; `now` returns ms since the epoch. Rejects with what the
 * store or `signKey` reject with.
 */
export function openCredentials(
  store: CertificateStore,
  { scratch, now }: { readonly scratch: string; readonly now: () => number },
): (site: Site, node: SiteNode) => Promise<Credentials> {
  const known = new Map<string, SignedKey>();
  /** Keys are signed one after the other: a rack that boots for the first time must not take all processors. */
  const inOrder = inTurn();

  const keptOrSigned = async (
    name: string,
    stands: (has: SignedKey) => boolean,
    sign: () => Promise<SignedKey>,
  ): Promise<SignedKey> => {
    const before = known.get(name) ?? (await store.read(name));
    if (before && !known.has(name)) known.set(name, before);
    if (before && stands(before)) return before;
    return inOrder(async () => {
      // A concurrent request may have had it signed.
      const has = known.get(name);
      if (has && stands(has)) return has;
      const next = await store.keep(name, await sign(), has);
      known.set(name, next);
      return next;
    });
  };

  return async (site, node) => {
    const at = now();
    const life = (ms: number) => ({ from: at - BACKDATED_MS, to: at + ms });
    const authority = await keptOrSigned(
      AUTHORITY,
      () => true,
      () => signKey(authorityOf(site), life(AUTHORITY_LIFE_MS), undefined, scratch),
    );
    const ca = new X509Certificate(authority.certificate);
    const names = namesOf(node, site.networks.get(node.network ?? ''));
    const { from, to } = life(LIFE_MS);
    const own = await keptOrSigned(
      node.name,
      (has) => !isDue(new X509Certificate(has.certificate), ca, names, at),
      () =>
        signKey(
          { commonName: node.name, organization: commonNameOf(ca), ...names },
          { from, to: Math.min(to, ca.validToDate.getTime()) },
          authority,
          scratch,
        ),
    );
    return { ...own, ca: authority.certificate };
  };
}

/** No node has this name. */
const AUTHORITY = '';

/** virt-pki-validate(1) requires that the organization of nodes has the authority's name. */
function authorityOf(site: Site): Subject {
  const name = site.name.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '') || 'site';
  return { commonName: name, organization: 'Reveille', dns: [], ips: [] };
}

/** The site's name when the authority was made; the site may have another name now. */
function commonNameOf({ subject }: X509Certificate): string {
  return /^CN=(.*)$/m.exec(subject)?.[1] ?? 'site';
}

type Names = Pick<Subject, 'dns' | 'ips'>;

/** The names and addresses under which others reach a node: the contents of its certificate. */
export function namesOf(node: SiteNode, network: Network | undefined): Names {
  const full = network?.domain === undefined ? [] : [`${node.name}.${network.domain}`];
  return { dns: [node.name, ...full], ips: addressesOf(node, network) };
}

/** Whether a node needs another certificate at the time `now` (ms since the epoch), being reached under these names. */
export function isDue(certificate: X509Certificate, ca: X509Certificate, { dns, ips }: Names, now: number): boolean {
  const names = [...dns.map((name) => `DNS:${name}`), ...ips.map((ip) => `IP Address:${ip}`)];
  if (certificate.subjectAltName !== names.join(', ') || !certificate.verify(ca.publicKey)) return true;
  const [from, to] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()];
  return now < from || (to - now) * 3 < to - from;
}
