import { vendorClassOf } from '../model/firmware.ts';
import { type Ipv4, UNSPECIFIED } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import type { Network, Pool } from '../model/network.ts';
import { OPTION } from '../model/options.ts';
import { type PoolVerdict, poolVerdict } from '../model/pools.ts';
import { Admission } from './admission.ts';
import { answer } from './answer.ts';
import { LeaseBook } from './book.ts';
import { CIRCUIT_ID } from './classes.ts';
import { readAt } from './clock.ts';
import { CLIENT_PORT } from './destination.ts';
import { type Exchange, exchangeOf } from './exchange.ts';
import { write } from './optionSet.ts';
import { type DhcpPacket, encodeWithin, MESSAGE, requestFrom } from './packet.ts';
import type { Plan } from './plan.ts';
import type { DhcpSite } from './site.ts';
import type { BootDecision } from './view.ts';

/**
 * The machine that a rehearsal plays: its firmware's architecture (option 93), and whether iPXE with HTTP is asking; what it
 * says of itself where that is not what follows from the two, and what a relay says of its port.
 */
export type PlayedClient = {
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

/** What a DISCOVER would bring about. */
export type Rehearsal = {
  readonly exchange: Exchange;
  /** The pools of its wire. */
  readonly pools: readonly JudgedPool[];
  readonly plan: Plan;
  /** Codes of options of the reply that do not fit what the client takes. */
  readonly left: readonly number[];
};

/**
 * Answers a firmware's DISCOVER as the server does, without a packet sent or a lease changed. `leases` are those of the state;
 * `site` has the servers' addresses filled in; `now` is milliseconds since the epoch.
 */
export function rehearse(
  played: PlayedClient,
  site: DhcpSite,
  leases: readonly Lease[],
  boot: BootDecision,
  now: number,
): Rehearsal {
  const own = site.networks.get(site.nodeByMac.get(played.mac)?.network ?? '');
  const request = { ...discover(played), giaddr: played.relay ?? (own ? relayInto(own) : UNSPECIFIED) };
  const exchange = exchangeOf(request, { ip: UNSPECIFIED, port: CLIENT_PORT }, interfaceFor(played.mac, site), site);
  const book = new LeaseBook();
  book.configure(site);
  book.load(leases.map((lease) => readAt(lease, now)));
  book.expire(now);
  const plan = answer(exchange, { book, admission: new Admission(), boot, hasRecords: true, now });
  const pools = exchange.wire.networks.flatMap(({ name: network, pools }) =>
    pools.map((pool) => ({ network, pool, verdict: poolVerdict(pool, exchange) })),
  );
  const left = 'reply' in plan ? encodeWithin(plan.reply.packet, plan.reply.bounds).left : [];
  return { exchange, pools, plan, left };
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

function discover({ mac, architecture, ipxe, vendorClass, userClass, circuitId }: PlayedClient): DhcpPacket {
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
