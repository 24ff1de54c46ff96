import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { SiteDraft } from '../../src/import/draft.ts';
import { readDhcpd } from '../../src/import/isc/read.ts';
import { writeSite } from '../../src/import/write.ts';
import { requireTools } from './dhcp.rig.ts';
import { CONFIGURATIONS, type Configuration } from './dhcpd-configurations.ts';
import { MEANT } from './dhcpd-differences.ts';
import { Expected, interfacesOf, type Meant, play } from './parity.rig.ts';
import { startPeer } from './twins.rig.ts';

requireTools('dhcpd');

/** The real dhcpd with this configuration. */
function startDhcpd({ dhcpd }: Configuration) {
  const files = { 'dhcpd.conf': dhcpd, leases: '' };
  const command = 'dhcpd -4 -f -d --no-pid -cf dhcpd.conf -lf leases lan0';
  return startPeer(command, files, 'Server starting service');
}

/** Writes the site that `reveille import` makes of the same dhcpd.conf. */
async function importSite(configuration: Configuration, folder: string): Promise<void> {
  const file = join(folder, 'dhcpd.conf');
  writeFileSync(file, configuration.dhcpd);
  const draft = new SiteDraft();
  await readDhcpd(draft, file, { interface: 'lan0', tree: false, addresses: interfacesOf(configuration) });
  rmSync(file);
  await writeSite(draft, folder, [file]);
}

describe('the answers of isc-dhcpd', () => {
  const expected = new Expected(MEANT);
  for (const configuration of CONFIGURATIONS) {
    const start = () => startDhcpd(configuration);
    test(`are ours: ${configuration.name}`, { timeout: 120_000 }, async () => {
      const byHand = (folder: string) => writeFileSync(join(folder, 'site.yaml'), configuration.site);
      expected.hold(await play(configuration, start, byHand));
    });
    test(`are ours: ${configuration.name}, imported`, { timeout: 120_000 }, async () => {
      expected.hold(await play(configuration, start, (folder) => importSite(configuration, folder)));
    });
  }

  test('differ in all that is listed', () => expected.end());

  test('are described in docs/dhcpd-differences.md as they are here', () => {
    const cells = ({ what, theirs, ours, why }: Meant) => `| ${[what, theirs, ours, why].join(' | ')} |`;
    const doc = readFileSync(join(import.meta.dirname, '../../docs/dhcpd-differences.md'), 'utf8');
    const rows = doc.split('\n').filter((line) => /^\| (?!---|What )/.test(line));
    assert.deepEqual(rows, MEANT.map(cells));
  });
});
