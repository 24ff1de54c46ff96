import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decideBoot } from '../../src/boot/decide.ts';
import { MESSAGE } from '../../src/dhcp/packet.ts';
import { startDhcpServer } from '../../src/dhcp/server.ts';
import { formatIpv4 } from '../../src/model/ipv4.ts';
import { interfaceAddresses } from '../../src/net/interfaces.ts';
import { loadSite } from '../../src/site/load.ts';
import { type InterfaceAddress, type InterfaceAddresses, withServers } from '../../src/site/servers.ts';
import { ip } from '../../src/site/testing/fixture.ts';
import { memoryStore } from './dhcp.rig.ts';
import { note, type Step, type Told } from './twin-clients.ts';
import { ClientEnd, type Heard, layTwins, type Peer, type ServerName, takeTwinsDown } from './twins.rig.ts';

/** What clients say to both servers, and where they are. */
export type Play = {
  readonly name: string;
  /** Of the servers' interface. */
  readonly addresses: readonly string[];
  /** Subnets behind relays. */
  readonly beyond: readonly string[];
  readonly steps: readonly Step[];
};

/** One field of two answers that is not the same: the peer's and ours. */
export type Difference = {
  readonly configuration: string;
  readonly step: string;
  readonly field: string;
  /** What kind of answer the peer gave. */
  readonly answer: string;
  readonly theirs: string;
  readonly ours: string;
};

/** A difference that is meant, for the operator to read, and which of those that were seen it is. */
export type Meant = {
  readonly what: string;
  readonly theirs: string;
  readonly ours: string;
  readonly why: string;
  readonly is: (difference: Difference) => boolean;
};

/** Everything that can be seen of an answer, by name. */
function fieldsOf(heard: readonly Heard[]): ReadonlyMap<string, string> {
  const [first] = heard;
  if (!first) return new Map([['answer', 'none']]);
  const { packet, to } = first;
  const type = Object.entries(MESSAGE).find(([, code]) => code === packet.options.get(53)?.[0])?.[0] ?? 'BOOTP reply';
  return new Map([
    ['answer', heard.length === 1 ? type : `${type}, ${heard.length} times`],
    ['sent to', to],
    ...(['ciaddr', 'yiaddr', 'siaddr', 'giaddr'] as const).map((name) => [name, formatIpv4(packet[name])] as const),
    ['chaddr', packet.chaddr],
    ['flags', packet.flags.toString(16)],
    ['hops', String(packet.hops)],
    ['secs', String(packet.secs)],
    ['sname', packet.sname],
    ['file', packet.file],
    ...[...packet.options].map(([code, bytes]) => [`option ${code}`, Buffer.from(bytes).toString('hex')] as const),
  ]);
}

function compare(configuration: string, step: string, theirs: readonly Heard[], ours: readonly Heard[]): Difference[] {
  const [peer, reveille] = [fieldsOf(theirs), fieldsOf(ours)];
  const answers = peer.get('answer') === reveille.get('answer') ? undefined : ['answer'];
  const fields = answers ?? [...new Set([...peer.keys(), ...reveille.keys()])];
  return fields
    .map((field) => ({
      configuration,
      step,
      field,
      answer: peer.get('answer') ?? '',
      theirs: peer.get(field) ?? 'absent',
      ours: reveille.get(field) ?? 'absent',
    }))
    .filter((difference) => difference.theirs !== difference.ours);
}

/** Plays the same steps to both servers and tells where their answers differ. */
export async function play(
  { name, addresses, beyond, steps }: Play,
  startPeer: () => Promise<Peer>,
  makeSite: (folder: string) => Promise<void> | void,
): Promise<readonly Difference[]> {
  await using opened = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'reveille-parity-'));
  opened.defer(() => rmSync(folder, { recursive: true }));
  await makeSite(folder);
  const loaded = await loadSite(folder);
  if (!loaded.ok) assert.fail(loaded.findings.map(({ message }) => message).join('\n'));

  opened.defer(takeTwinsDown);
  layTwins(addresses, beyond);
  const peer = await startPeer();
  opened.defer(peer.stop);
  const server = await startDhcpServer({
    site: () => withServers(loaded.site, interfaceAddresses()),
    store: memoryStore(),
    boot: (client, node, network) => decideBoot(client, node, { ip: network.server, httpPort: 8080 }),
    events: () => {},
  });
  opened.defer(() => server.close());
  const ends = { peer: new ClientEnd('peer'), reveille: new ClientEnd('reveille') };
  opened.defer(() => ends.peer.close());
  opened.defer(() => ends.reveille.close());

  const told = { peer: new Map() as Told, reveille: new Map() as Told };
  const ask = async (which: ServerName, step: Step): Promise<readonly Heard[]> => {
    const heard = await ends[which].ask(step.saying(told[which]));
    for (const { packet } of heard) note(told[which], step.mac, packet);
    return heard;
  };
  const differences: Difference[] = [];
  try {
    for (const step of steps) {
      const [theirs, ours] = await Promise.all([ask('peer', step), ask('reveille', step)]);
      differences.push(...compare(name, step.name, theirs, ours));
    }
  } catch (error) {
    throw new Error(`${name}: the peer said:\n${peer.log()}`, { cause: error });
  }
  return differences;
}

/** Holds differences against those that are meant, and remembers which of these were seen. */
export class Expected {
  readonly #rows: readonly Meant[];
  readonly #seen = new Set<Meant>();

  constructor(rows: readonly Meant[]) {
    this.#rows = rows;
  }

  /** Fails where a difference is not meant. */
  hold(differences: readonly Difference[]): void {
    const unmeant = differences.filter((difference) => {
      const rows = this.#rows.filter((row) => row.is(difference));
      for (const row of rows) this.#seen.add(row);
      return rows.length === 0;
    });
    assert.deepEqual(unmeant.map(words), []);
  }

  /** Fails where one that is meant was not seen. */
  end(): void {
    const unseen = this.#rows.filter((row) => !this.#seen.has(row));
    assert.deepEqual(
      unseen.map(({ what }) => what),
      [],
    );
  }
}

function words({ step, field, theirs, ours }: Difference): string {
  return `${step}: ${field}: theirs ${theirs}, ours ${ours}`;
}

/** What an importer is told of this machine. */
export function interfacesOf({ addresses }: Play): InterfaceAddresses {
  return new Map([['lan0', addresses.map(interfaceAddress)]]);
}

function interfaceAddress(text: string): InterfaceAddress {
  const [address = '', prefix] = text.split('/');
  return { ip: ip(address), prefix: Number(prefix) };
}
