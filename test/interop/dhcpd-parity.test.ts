import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { decideBoot } from '../../src/boot/decide.ts';
import { MESSAGE } from '../../src/dhcp/packet.ts';
import { startDhcpServer } from '../../src/dhcp/server.ts';
import { SiteDraft } from '../../src/import/draft.ts';
import { readDhcpd } from '../../src/import/isc/read.ts';
import { writeSite } from '../../src/import/write.ts';
import { formatIpv4 } from '../../src/net/ipv4.ts';
import { ip } from '../../src/site/fixture.ts';
import { loadSite } from '../../src/site/load.ts';
import type { InterfaceAddress } from '../../src/site/servers.ts';
import { memoryStore, requireTools } from './dhcp.rig.ts';
import { ClientEnd, type Heard, layTwins, type ServerName, startDhcpd, takeTwinsDown } from './dhcpd.rig.ts';
import { note, type Step, type Told } from './dhcpd-clients.ts';
import { CONFIGURATIONS, type Configuration } from './dhcpd-configurations.ts';
import { type Difference, MEANT, type Meant } from './dhcpd-differences.ts';

requireTools('dhcpd');

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
  const [dhcpd, reveille] = [fieldsOf(theirs), fieldsOf(ours)];
  const answers = dhcpd.get('answer') === reveille.get('answer') ? undefined : ['answer'];
  const fields = answers ?? [...new Set([...dhcpd.keys(), ...reveille.keys()])];
  return fields
    .map((field) => ({
      configuration,
      step,
      field,
      answer: dhcpd.get('answer') ?? '',
      dhcpd: dhcpd.get(field) ?? 'absent',
      reveille: reveille.get(field) ?? 'absent',
    }))
    .filter((difference) => difference.dhcpd !== difference.reveille);
}

/** Plays the same steps to both servers and tells where their answers differ. */
async function play(
  { name, dhcpd, addresses, beyond, steps }: Configuration,
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
  const peer = await startDhcpd(dhcpd);
  opened.defer(peer.stop);
  const server = await startDhcpServer({
    site: () => loaded.site,
    store: memoryStore(),
    boot: (client, node, network) => decideBoot(client, node, { ip: network.server, httpPort: 8080 }),
    events: () => {},
  });
  opened.defer(() => server.close());
  const ends = { dhcpd: new ClientEnd('dhcpd'), reveille: new ClientEnd('reveille') };
  opened.defer(() => ends.dhcpd.close());
  opened.defer(() => ends.reveille.close());

  const told = { dhcpd: new Map() as Told, reveille: new Map() as Told };
  const ask = async (which: ServerName, step: Step): Promise<readonly Heard[]> => {
    const heard = await ends[which].ask(step.saying(told[which]));
    for (const { packet } of heard) note(told[which], step.mac, packet);
    return heard;
  };
  const differences: Difference[] = [];
  try {
    for (const step of steps) {
      const [theirs, ours] = await Promise.all([ask('dhcpd', step), ask('reveille', step)]);
      differences.push(...compare(name, step.name, theirs, ours));
    }
  } catch (error) {
    throw new Error(`${name}: dhcpd said:\n${peer.log()}`, { cause: error });
  }
  return differences;
}

/** Writes the site that `reveille import` makes of the same dhcpd.conf. */
async function importSite({ dhcpd, addresses }: Configuration, folder: string): Promise<void> {
  const file = join(folder, 'dhcpd.conf');
  writeFileSync(file, dhcpd);
  const draft = new SiteDraft();
  await readDhcpd(draft, file, {
    interface: 'lan0',
    tree: false,
    addresses: new Map([['lan0', addresses.map(interfaceAddress)]]),
  });
  rmSync(file);
  await writeSite(draft, folder, [file]);
}

function interfaceAddress(text: string): InterfaceAddress {
  const [address = '', prefix] = text.split('/');
  return { ip: ip(address), prefix: Number(prefix) };
}

const words = ({ step, field, dhcpd, reveille }: Difference) =>
  `${step}: ${field}: dhcpd ${dhcpd}, reveille ${reveille}`;

describe('the answers of isc-dhcpd', () => {
  const seen = new Set<(typeof MEANT)[number]>();
  const expectMeant = (differences: readonly Difference[]) => {
    const unmeant = differences.filter((difference) => {
      const rows = MEANT.filter((row) => row.is(difference));
      for (const row of rows) seen.add(row);
      return rows.length === 0;
    });
    assert.deepEqual(unmeant.map(words), []);
  };
  for (const configuration of CONFIGURATIONS) {
    test(`are ours: ${configuration.name}`, { timeout: 120_000 }, async () => {
      const byHand = (folder: string) => writeFileSync(join(folder, 'site.yaml'), configuration.site);
      expectMeant(await play(configuration, byHand));
    });
    test(`are ours: ${configuration.name}, imported`, { timeout: 120_000 }, async () => {
      expectMeant(await play(configuration, (folder) => importSite(configuration, folder)));
    });
  }

  test('differ in all that is listed', () => {
    assert.deepEqual(
      MEANT.filter((row) => !seen.has(row)).map(({ what }) => what),
      [],
    );
  });

  test('are described in docs/dhcpd-differences.md as they are here', () => {
    const cells = ({ what, dhcpd, reveille, why }: Meant) => `| ${[what, dhcpd, reveille, why].join(' | ')} |`;
    const doc = readFileSync(join(import.meta.dirname, '../../docs/dhcpd-differences.md'), 'utf8');
    const rows = doc.split('\n').filter((line) => /^\| (?!---|What )/.test(line));
    assert.deepEqual(rows, MEANT.map(cells));
  });
});
