import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { withSiteFolder } from '../site/folderFixture.ts';
import { importCommand } from './import.ts';
import { run } from './runFixture.ts';

const DNSMASQ = (root: string) => `port=0
dhcp-range=10.0.0.100,10.0.0.150,255.255.255.0,1h
dhcp-option=option:router,10.0.0.1
dhcp-host=52:54:00:00:00:51,10.0.0.51,node01
dhcp-boot=pxelinux.0
enable-tftp
tftp-root=${root}
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
      { 'nodes.conf': 'nodes: { n1: { network devices: { default: { hwaddr: "52:54:00:00:00:01" } } } }\n' },
      async (folder) => {
        const { out, code } = await run(importCommand(), [
          ...['--warewulf', join(folder, 'nodes.conf'), '--out', join(folder, 'site'), '--json'],
        ]);
        assert.equal(code, 0);
        assert.equal(JSON.parse(out).nodes, 1);
      },
    ));
});
