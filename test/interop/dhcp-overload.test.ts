import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import type { DhcpSite } from '../../src/dhcp/site.ts';
import type { Ipv4 } from '../../src/model/ipv4.ts';
import { ip } from '../../src/site/testing/fixture.ts';
import {
  addMachine,
  clientScript,
  layBridge,
  NODE_MAC,
  networkdCommand,
  rackSite,
  requireTools,
  serve,
  sh,
  start,
  tidy,
  until,
} from './dhcp.rig.ts';

/** More options than 312 bytes hold, to real clients: in larger messages, or in the fields for names. */

requireTools('dhclient', 'udhcpc', 'dhcpcd', '/lib/systemd/systemd-networkd');

const folder = mkdtempSync(join(tmpdir(), 'reveille-overload-'));
const notes = join(folder, 'notes');
const script = clientScript(join(folder, 'script'), notes);
const noted = (): string => (existsSync(notes) ? readFileSync(notes, 'utf8') : '');

before(layBridge);
afterEach(tidy);
afterEach(() => {
  sh('ip neigh flush dev br0');
  rmSync(notes, { force: true });
});
after(() => {
  sh('ip link del br0');
  rmSync(folder, { recursive: true });
});

/** Routes to 10.32.0.0/24, 10.32.1.0/24 and so on, of 8 bytes each. */
function siteWith(count: number): DhcpSite {
  const site = rackSite(7200);
  const rack = site.networks.get('rack') ?? assert.fail();
  const routes = Array.from({ length: count }, (_, n) => ({
    to: { base: (ip('10.32.0.0') + n * 256) as Ipv4, prefix: 24 },
    via: ip('10.0.0.1'),
  }));
  const much = {
    ...rack,
    routes,
    dns: [ip('10.0.0.3'), ip('10.0.0.13'), ip('10.0.0.23')],
    domain: 'compute.region-one.example.org',
    search: ['compute.region-one.example.org', 'storage.region-one.example.org', 'office.example.com'],
  };
  return { ...site, networks: new Map([...site.networks, ['rack', much]]) };
}

type Reads = { readonly routes: number; readonly dns: boolean; readonly search: boolean };

const count = (text: string, pattern: RegExp): number => [...text.matchAll(pattern)].length;

const dhclient = async (): Promise<Reads> => {
  const files = ['-sf', script, '-lf', join(folder, 'leases'), '-pf', join(folder, 'pid')];
  rmSync(join(folder, 'leases'), { force: true });
  const client = start('node01', 'dhclient', '-d', '-v', ...files, 'eth0');
  await until('BOUND', 20, () => /^== BOUND/m.test(noted()), client.output);
  await client.stop('SIGKILL');
  return {
    routes: count(
      noted().match(/^new_rfc3442_classless_static_routes=(.*)$/m)?.[1] ?? '',
      /\b24 10 3[2-9] \d+ 10 0 0 1\b/g,
    ),
    dns: noted().includes('new_domain_name_servers=10.0.0.3 10.0.0.13 10.0.0.23'),
    search: noted().includes('office.example.com'),
  };
};

const udhcpc = async (): Promise<Reads> => {
  const asks = ['search', 'staticroutes', 'dns', 'domain'].flatMap((name) => ['-O', name]);
  const client = start('node01', 'udhcpc', '-f', '-i', 'eth0', '-s', script, '-t', '5', '-T', '1', '-q', ...asks);
  await until('bound', 20, () => /^== bound/m.test(noted()), client.output);
  return {
    routes: count(noted().match(/^staticroutes=(.*)$/m)?.[1] ?? '', /\b10\.3\d\.\d+\.0\/24 10\.0\.0\.1\b/g),
    dns: noted().includes('dns=10.0.0.3 10.0.0.13 10.0.0.23'),
    search: noted().includes('office.example.com'),
  };
};

const dhcpcd = async (): Promise<Reads> => {
  mkdirSync('/run/dhcpcd', { recursive: true });
  const asks = ['-o', 'domain_search', '-o', 'classless_static_routes', '-o', 'domain_name_servers'];
  const client = start('node01', 'dhcpcd', '-B', '-4', '-c', script, '--noipv4ll', ...asks, 'eth0');
  await until('BOUND', 20, () => /^== BOUND/m.test(noted()), client.output);
  await client.stop();
  return {
    routes: count(
      noted().match(/^new_classless_static_routes=(.*)$/m)?.[1] ?? '',
      /\b10\.3\d\.\d+\.0\/24 10\.0\.0\.1\b/g,
    ),
    dns: noted().includes('new_domain_name_servers=10.0.0.3 10.0.0.13 10.0.0.23'),
    search: noted().includes('office.example.com'),
  };
};

const networkd = async (): Promise<Reads> => {
  const network =
    '[Match]\\nName=eth0\\n[Network]\\nDHCP=ipv4\\nLinkLocalAddressing=no\\nIPv6AcceptRA=no\\n[DHCPv4]\\nUseDomains=yes\\nUseMTU=no\\n';
  const lease = join(folder, 'networkd');
  const client = start(
    'node01',
    ...networkdCommand(network, `(sleep 4; cat /run/systemd/netif/leases/* > ${lease}; echo end >> ${lease}) &`),
  );
  const read = () => (existsSync(lease) ? readFileSync(lease, 'utf8') : '');
  await until('lease', 20, () => read().includes('end'), client.output);
  const routes = count(sh('ip -n node01 route'), /^10\.3\d\.\d+\.0\/24 via 10\.0\.0\.1/gm);
  await client.stop();
  const told = read();
  rmSync(lease);
  return {
    routes,
    dns: told.includes('DNS=10.0.0.3 10.0.0.13 10.0.0.23'),
    search: told.includes('office.example.com'),
  };
};

describe('more options than a small message holds are read whole', () => {
  const rows: [name: string, client: () => Promise<Reads>, routes: number[]][] = [
    ['dhclient', dhclient, [3, 20, 31, 36]],
    ['udhcpc', udhcpc, [3, 20, 31, 33]],
    ['dhcpcd', dhcpcd, [3, 20, 31, 36, 130, 145]],
    // Of an option that has to be split (RFC 3396) this release reads the first part: 255 bytes, 31 routes.
    ['systemd-networkd', networkd, [3, 20, 31]],
  ];
  for (const [name, client, counts] of rows) {
    for (const routes of counts) {
      test(`by ${name}: ${routes} routes, three name servers, a search list`, async () => {
        addMachine('node01', NODE_MAC);
        const { events } = await serve(siteWith(routes));
        assert.deepEqual(await client(), { routes, dns: true, search: true });
        assert.deepEqual(
          events.filter(({ kind }) => kind === 'dhcp.option-left'),
          [],
        );
      });
    }
  }
});

test('what fits nowhere is left out, the least important first, and reported once', async () => {
  addMachine('node01', NODE_MAC);
  const { events } = await serve(siteWith(48));
  assert.deepEqual({ ...(await dhclient()), search: false }, { routes: 48, dns: true, search: false });
  sh('ip -n node01 addr flush dev eth0');
  await dhclient();
  const left = events.filter((event) => event.kind === 'dhcp.option-left');
  assert.equal(new Set(left.map((event) => event.option)).size, left.length, 'each once');
  assert.ok(left.length > 0);
  for (const { network, bytes } of left) assert.deepEqual([network, bytes], ['rack', 548]);
});
