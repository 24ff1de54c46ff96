import assert from 'node:assert/strict';
import { read } from '../../src/dhcp/optionSet.ts';
import { BROADCAST_FLAG, type DhcpPacket, encodePacket } from '../../src/dhcp/packet.ts';
import { requestOf, type Said, say } from '../../src/dhcp/testing/fixture.ts';
import type { Ipv4 } from '../../src/model/ipv4.ts';
import type { Mac } from '../../src/model/mac.ts';
import { OPTION } from '../../src/model/options.ts';
import { ip } from '../../src/site/testing/fixture.ts';
import { type RecordedName, recorded } from './recorded.ts';
import type { Saying } from './twins.rig.ts';

/** What one server has told each machine so far: the next request is made of it. */
export type Told = Map<Mac, { readonly yiaddr: Ipv4; readonly server: Ipv4 }>;

/** One request of a client. It is made anew for each server, since each has its own addresses to give. */
export type Step = { readonly name: string; readonly mac: Mac; readonly saying: (told: Told) => Saying };

/** The relay that a client is behind, and what it adds as option 82. */
export type Relayed = { readonly giaddr: string; readonly option82?: readonly number[]; readonly server: string };

/** What a dhclient asks for, more or less. */
const ASKED = [1, 28, 2, 3, 15, 6, 12, 26, 42, 66, 67, 119, 121];
export const asksFor = (...codes: number[]): Said => say(OPTION.parameterList, Uint8Array.from(codes));
const USUAL = asksFor(...ASKED);

type Kind = Parameters<typeof requestOf>[0];
type Fields = Partial<DhcpPacket>;

/** A machine and its requests, each a step. */
export class Machine {
  readonly name: string;
  readonly mac: Mac;
  readonly #said: readonly Said[];
  readonly #relayed: Relayed | undefined;
  #flags = 0;

  constructor(name: string, mac: Mac, said: readonly Said[] = [USUAL], relayed?: Relayed) {
    this.name = name;
    this.mac = mac;
    this.#said = said;
    this.#relayed = relayed;
  }

  discover(...more: Said[]): Step {
    return this.#step('DISCOVER', more, () => this.#message('discover', more));
  }

  /** Takes the offer. */
  select(...more: Said[]): Step {
    return this.#step('REQUEST of the offer', more, (told) => {
      const { yiaddr, server } = this.#offered(told);
      return this.#message('request', [...more, say(OPTION.requestedAddress, yiaddr), say(OPTION.serverId, server)]);
    });
  }

  /** Takes an offer of this address from this server, made or not. */
  selectThat(address: string, server: string): Step {
    const said = [say(OPTION.requestedAddress, ip(address)), say(OPTION.serverId, ip(server))];
    return this.#step(`REQUEST of ${address} from ${server}`, [], () => this.#message('request', said));
  }

  /** After a restart: `address`, or the one that it was given. */
  reboot(address?: string): Step {
    return this.#step(`INIT-REBOOT${ofAddress(address)}`, [], (told) => {
      const wanted = address === undefined ? this.#offered(told).yiaddr : ip(address);
      return this.#message('request', [say(OPTION.requestedAddress, wanted)]);
    });
  }

  renew(server: string, address?: string): Step {
    return this.#step(`RENEW${ofAddress(address)}`, [], (told) => this.#holding(told, address, ip(server)));
  }

  rebind(address?: string): Step {
    return this.#step(`REBIND${ofAddress(address)}`, [], (told) => this.#holding(told, address));
  }

  #holding(told: Told, address: string | undefined, to?: Ipv4): Saying {
    const ciaddr = address === undefined ? this.#offered(told).yiaddr : ip(address);
    return { ...this.#message('request', [], { ciaddr }), from: ciaddr, ...(to === undefined ? {} : { to }) };
  }

  decline(): Step {
    return this.#step('DECLINE', [], (told) => {
      const { yiaddr, server } = this.#offered(told);
      return this.#message('decline', [say(OPTION.requestedAddress, yiaddr), say(OPTION.serverId, server)]);
    });
  }

  release(): Step {
    return this.#step('RELEASE', [], (told) => {
      const { yiaddr, server } = this.#offered(told);
      const said = this.#message('release', [say(OPTION.serverId, server)], { ciaddr: yiaddr });
      return { ...said, from: yiaddr, to: server };
    });
  }

  /** From a relay's address where there is one. */
  inform(address: string): Step {
    const ciaddr = ip(address);
    return this.#step(`INFORM from ${address}`, [], () => ({
      from: ciaddr,
      ...this.#message('inform', [], { ciaddr }),
    }));
  }

  /** Says its address nowhere but as the datagram's; through a relay, nowhere. */
  informWithoutAddress(address: string): Step {
    return this.#step(`INFORM without ciaddr from ${address}`, [], () => ({
      from: ip(address),
      ...this.#message('inform', []),
    }));
  }

  /** A client from before DHCP; it may know its address and ask for the file alone. */
  bootp(address?: string): Step {
    const fields = address === undefined ? {} : { ciaddr: ip(address) };
    return this.#step(`BOOTP request${ofAddress(address)}`, [], () => ({
      bytes: encodePacket({ ...requestOf('discover', this.mac, [], fields), options: new Map() }),
    }));
  }

  /** What a real client said, fitted to this machine and to what it was offered. */
  says(name: RecordedName): Step {
    return this.#step(name, [], (told) => {
      const offer = told.get(this.mac);
      const fitting = offer === undefined ? {} : { requested: offer.yiaddr, server: offer.server };
      return { bytes: recorded(name, { mac: this.mac, ...fitting }) };
    });
  }

  #step(what: string, more: readonly Said[], saying: Step['saying']): Step {
    const words = more.map(([code, bytes]) => `${code}=${Buffer.from(bytes).toString('hex')}`).join(' ');
    return { name: `${this.name}: ${what}${words === '' ? '' : ` with ${words}`}`, mac: this.mac, saying };
  }

  /** The same machine, asking to be answered by broadcast. */
  broadcast(): Machine {
    const machine = new Machine(this.name, this.mac, this.#said, this.#relayed);
    machine.#flags = BROADCAST_FLAG;
    return machine;
  }

  #message(kind: Kind, said: readonly Said[], fields: Fields = {}): Saying {
    const relay = this.#relayed;
    const relayed = relay?.option82 === undefined ? [] : [[82, Uint8Array.from(relay.option82)] as const];
    const giaddr = relay === undefined ? {} : { giaddr: ip(relay.giaddr), hops: 1 };
    const bytes = encodePacket(
      requestOf(kind, this.mac, [...this.#said, ...said, ...relayed], { flags: this.#flags, ...giaddr, ...fields }),
    );
    return relay === undefined ? { bytes } : { bytes, from: ip(relay.giaddr), to: ip(relay.server), port: 67 };
  }

  #offered(told: Told): { readonly yiaddr: Ipv4; readonly server: Ipv4 } {
    return told.get(this.mac) ?? assert.fail(`${this.name} was offered nothing`);
  }
}

function ofAddress(address: string | undefined): string {
  return address === undefined ? '' : ` of ${address}`;
}

/** Notes what an answer gives, for the requests that come after it. */
export function note(told: Told, mac: Mac, packet: DhcpPacket): void {
  const server = read(packet.options, OPTION.serverId);
  if (server !== undefined && packet.yiaddr !== 0) told.set(mac, { yiaddr: packet.yiaddr, server });
}
