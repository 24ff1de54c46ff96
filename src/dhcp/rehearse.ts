import type { BootAnswer, BootClient } from '../boot/client.ts';
import { vendorClassOf } from '../model/firmware.ts';
import { type Ipv4, UNSPECIFIED } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import type { Network, Pool, SiteClass } from '../model/network.ts';
import type { SiteNode } from '../model/node.ts';
import { OPTION } from '../model/options.ts';
import { type PoolVerdict, poolVerdict } from '../model/pools.ts';
import { Admission } from './admission.ts';
import { LeaseBook } from './book.ts';
import { CIRCUIT_ID, classesOf } from './classes.ts';
import { clientOf } from './client.ts';
import { readAt } from './clock.ts';
import { givenBoot } from './given.ts';
import { write } from './optionSet.ts';
import { type DhcpPacket, encodeWithin, MESSAGE, requestFrom } from './packet.ts';
import { type Decision, decide } from './policy.ts';
import { boundsFor, composeReply } from './reply.ts';
import type { DhcpSite } from './site.ts';
import { type ServedNetwork, wireOf } from './wire.ts';

/**
 * The machine that a rehearsal plays: its firmware's architecture (option 93), and whether iPXE with HTTP is asking; what it
 * says of itself where that is not what follows from the two, and what a relay says of its port.
 */
export type Part = {
  readonly mac: Mac;
  readonly architecture: number;
  readonly ipxe: boolean;
  readonly vendorClass?: string;
  readonly userClass?: string;
  readonly circuitId?: string;
  /** The relay (giaddr) through which it asks. Absent: none, if a wire leads to its network, else the network's own. */
  readonly relay?: Ipv4;
};

/** A pool of the client's wire, and whether it is open to it. */
export type JudgedPool = { readonly network: string; readonly pool: Pool; readonly verdict: PoolVerdict };

/** What a DISCOVER would bring about. `reply` is there where it would be answered. */
export type Rehearsal = {
  readonly client: BootClient;
  readonly classes: readonly SiteClass[];
  readonly pools: readonly JudgedPool[];
  readonly decision: Decision;
  readonly boot?: BootAnswer;
  readonly reply?: DhcpPacket;
  /** Codes of options of `reply` that do not fit what the client takes. */
  readonly left?: readonly number[];
};

/**
 * Plays a firmware's DISCOVER through the same decisions that the server makes, without a packet sent or a lease changed.
 * `leases` are those of the state; `site` has the servers' addresses filled in.
 */
export function rehearse(
  part: Part,
  site: DhcpSite,
  leases: readonly Lease[],
  boot: (client: BootClient, node: SiteNode | undefined, network: ServedNetwork) => BootAnswer,
  now: number,
): Rehearsal {
  const own = site.networks.get(site.nodeByMac.get(part.mac)?.network ?? '');
  const request = { ...discover(part), giaddr: part.relay ?? (own ? relayInto(own) : UNSPECIFIED) };
  const client = clientOf(request);
  const book = new LeaseBook();
  book.configure(site);
  book.load(leases.map((lease) => readAt(lease, now)));
  book.expire(now);
  const name = interfaceFor(part.mac, site);
  const decision = decide(request, client, {
    site,
    book,
    admission: new Admission(),
    interface: name,
    from: UNSPECIFIED,
    hasRecords: true,
    now,
  });
  const who = { node: site.nodeByMac.get(part.mac), classes: classesOf(request, client, site) };
  const pools = wireOf(request, site, name, UNSPECIFIED).networks.flatMap(({ name: network, pools }) =>
    pools.map((pool) => ({ network, pool, verdict: poolVerdict(pool, who) })),
  );
  const seen = { client, classes: who.classes, pools, decision };
  if (decision.kind !== 'offer') return seen;
  const answer = givenBoot(decision, () => boot(client, decision.node, decision.network));
  const reply = composeReply('offer', { request, client, boot: answer, ...decision });
  const { left } = encodeWithin(reply, boundsFor(request, client));
  return { ...seen, boot: answer, reply, left };
}

/** A relay's address for a network that only relays reach. */
function relayInto({ interface: through, relays: [relay], gateway, subnet }: Network): Ipv4 {
  if (through !== undefined) return UNSPECIFIED;
  return relay?.first ?? gateway ?? ((subnet.base + 1) as Ipv4);
}

/** The interface that leads to the machine's own network; a stranger is taken to be on the first. */
function interfaceFor(mac: Mac, site: DhcpSite): string {
  const own = site.networks.get(site.nodeByMac.get(mac)?.network ?? '');
  const networks = [...(own ? [own] : []), ...site.networks.values()];
  return networks.find((network) => network.interface !== undefined)?.interface ?? '';
}

const IPXE_FEATURES = Buffer.from([19, 1, 1, 39, 1, 1]);

function discover({ mac, architecture, ipxe, vendorClass, userClass, circuitId }: Part): DhcpPacket {
  const options = new Map<number, Uint8Array>();
  write(options, OPTION.messageType, MESSAGE.discover);
  const firmware = `${vendorClassOf(architecture)}:Arch:${String(architecture).padStart(5, '0')}:UNDI:002001`;
  write(options, OPTION.vendorClass, vendorClass ?? firmware);
  // Only firmware says its architecture.
  if (/^(PXE|HTTP)Client/.test(vendorClass ?? firmware)) write(options, OPTION.clientArch, [architecture]);
  if (ipxe) {
    write(options, OPTION.userClass, Buffer.from('iPXE'));
    write(options, OPTION.ipxe, IPXE_FEATURES);
  }
  if (userClass !== undefined) write(options, OPTION.userClass, Buffer.from(userClass));
  if (circuitId !== undefined) {
    const id = Buffer.from(circuitId);
    write(options, OPTION.relayAgent, Buffer.concat([Buffer.of(CIRCUIT_ID, id.length), id]));
  }
  return requestFrom(mac, options);
}
