import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { formatIpv4 } from '../model/ipv4.ts';
import { withSiteFolder } from '../site/testing/folderFixture.ts';
import { openStore } from '../state/store.ts';
import { importCommand } from './import.ts';
import { run } from './testing/runFixture.ts';

const DNSMASQ = (root: string) => `port=0
dhcp-range=10.0.0.100,10.0.0.150,255.255.255.0,1h
dhcp-option=option:router,10.0.0.1
dhcp-host=52:54:00:00:00:51,10.0.0.51,node01
dhcp-boot=pxelinux.0
enable-tftp
tftp-root=${root}
`;

const LEASE = `lease 10.0.0.101 {
  starts 2 2026/01/06 00:00:00;
  ends never;
  binding state active;
  hardware ethernet 52:54:00:00:00:61;
}
`;

describe('reveille import', () => {
  it('reads dnsmasq.conf and the tree that its TFTP server gives out', () =>
    withSiteFolder(
      {
        'tftp/pxelinux.cfg/default': 'default nova\nlabel nova\nkernel vmlinuz\n',
        'tftp/vmlinuz': '',
        'tftp/10-0-0-51/hostname': 'node01\n',
      },
      async (folder) => {
        await writeFile(join(folder, 'dnsmasq.conf'), DNSMASQ(join(folder, 'tftp')));
        const args = [
          '--dnsmasq',
          join(folder, 'dnsmasq.conf'),
          '--interface',
          'br7',
          '--out',
          join(folder, 'site'),
          '--json',
        ];
        const { out, code } = await run(importCommand(), args);
        const { networks, nodes, errors } = JSON.parse(out);
        assert.deepEqual([code, networks, nodes, errors], [0, 1, 1, []]);
        const site = await readFile(join(folder, 'site/site.yaml'), 'utf8');
        assert.match(site, /^ {4}interface: br7$/m);
        assert.match(site, /^ {4}boot: nova /m);
        assert.equal(await readFile(join(folder, 'site/nodes/10-0-0-51/hostname'), 'utf8'), 'node01\n');
      },
    ));

  it('reads nodes.conf of Warewulf', () =>
    withSiteFolder(
      {
        'nodes.conf':
          'nodes: { n1: { network devices: { default: { hwaddr: "52:54:00:00:00:01", ipcidr: 10.0.0.5/24 } } } }\n',
      },
      async (folder) => {
        const { out, code } = await run(importCommand(), [
          ...['--warewulf', join(folder, 'nodes.conf'), '--out', join(folder, 'site'), '--json'],
        ]);
        assert.equal(code, 0);
        assert.equal(JSON.parse(out).nodes, 1);
      },
    ));

  it('ends with 1 where the new site has no network, as check does', () =>
    withSiteFolder({ 'dnsmasq.conf': 'port=0\ndhcp-boot=pxelinux.0\n' }, async (folder) => {
      const args = ['--dnsmasq', join(folder, 'dnsmasq.conf'), '--out', join(folder, 'site')];
      const { out, code } = await run(importCommand(), args);
      assert.equal(code, 1);
      assert.match(out, /^left {2}\S+ +networks +.*a site without networks answers no machine/m);
      assert.match(out, /^left {2}\S+ +dhcp-boot=pxelinux\.0 +no dhcp-range makes a network here/m);
      assert.match(out, /site\.yaml:1:1: error: the site has no network/);
    }));

  it('warns of networks that a tree alone cannot have', () =>
    withSiteFolder(
      { 'tftp/pxelinux.cfg/default': 'default nova\nlabel nova\nkernel vmlinuz\n', 'tftp/vmlinuz': '' },
      async (folder) => {
        const args = ['--tftp', join(folder, 'tftp'), '--out', join(folder, 'site'), '--json'];
        const { out, code } = await run(importCommand(), args);
        const { errors, warnings } = JSON.parse(out);
        assert.deepEqual([code, errors, warnings.length], [0, [], 1]);
        assert.match(warnings[0].message, /no network/);
      },
    ));

  it('takes the site and the state folder for leases as other commands do, from the environment too', () =>
    withSiteFolder(
      {
        'site/site.yaml':
          'networks: { lan: { subnet: 10.0.0.0/24, pools: [{ range: 10.0.0.100-10.0.0.110, allow: any }] } }\n',
        'dhcpd.leases': LEASE,
      },
      async (folder) => {
        const [site, state] = [join(folder, 'site'), join(folder, 'state')];
        const leases = ['--leases', join(folder, 'dhcpd.leases'), '--json'];
        const { REVEILLE_SITE = '', REVEILLE_STATE = '' } = process.env;
        Object.assign(process.env, { REVEILLE_SITE: site, REVEILLE_STATE: state });
        try {
          const { remarks } = JSON.parse((await run(importCommand(), leases)).out);
          assert.deepEqual(
            remarks.map(({ kind, what }: { kind: string; what: string }) => [kind, what]),
            [['taken', 'lease 10.0.0.101']],
          );
        } finally {
          Object.assign(process.env, { REVEILLE_SITE, REVEILLE_STATE });
          if (REVEILLE_SITE === '') delete process.env.REVEILLE_SITE;
          if (REVEILLE_STATE === '') delete process.env.REVEILLE_STATE;
        }
        const store = await openStore(state);
        const kept = [...(await store.leases.load())].map(({ ip }) => formatIpv4(ip));
        await store.close();
        assert.deepEqual(kept, ['10.0.0.101']);
      },
    ));
});
