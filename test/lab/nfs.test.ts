import assert from 'node:assert/strict';
import { chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildImage } from '../../src/image/build.ts';
import { defaultCache } from '../../src/image/cache.ts';
import { openShelf } from '../../src/image/shelf.ts';
import { agentFiles } from '../../src/node/agent/files.ts';
import { loadSite } from '../../src/site/load.ts';
import { openBootRack } from './bootRack.ts';

/** The user and group nova of Debian's packages, the same on every node. */
const NOVA = 64060;

const RECIPE = `
extends: bookworm-ram
packages: [nfs-common]
keep: ['/usr/lib/modules/*/kernel/fs/nfs']
run:
  - groupadd --system --gid ${NOVA} nova
  - useradd --system --uid ${NOVA} --gid ${NOVA} --home-dir /var/lib/nova --create-home nova
  - systemctl mask rpcbind.service rpcbind.socket nfs-client.target
`;

/** Stands for nova-compute: says what it finds, and makes an instance's file. */
const STAND_IN = `[Service]
Type=oneshot
RemainAfterExit=yes
User=nova
StandardOutput=journal+console
ExecStart=/bin/sh -ec 'findmnt -n -o FSTYPE,SOURCE /var/lib/nova/instances; hostname >/var/lib/nova/instances/$$(hostname); echo said end'
`;

const nova = { transport_url: 'rabbit://', password: 'x', placement_password: 'x', neutron_password: 'x' };
const nfs = (from: string) => ({ version: 4.2, mounts: [{ from, to: '/var/lib/nova/instances', owner: 'nova' }] });
const SITE = {
  networks: { rack: { interface: 'br0', subnet: '10.0.0.0/24', server: '10.0.0.2' } },
  profiles: {
    compute: {
      image: 'lab-nfs',
      kernelArgs: ['console=ttyS0', 'quiet', 'no_timer_check'],
      overlays: ['fstab-nfs', 'stand-in', 'nova-compute'],
      services: ['nova-compute'],
      vars: { openstack: { controller: '10.0.0.10' }, nova },
    },
  },
  nodes: {
    node01: {
      mac: '52:54:00:00:05:01',
      ip: '10.0.0.51',
      profiles: ['compute'],
      vars: { nfs: nfs('10.0.0.2:/instances') },
    },
    node02: {
      mac: '52:54:00:00:05:02',
      ip: '10.0.0.52',
      profiles: ['compute'],
      vars: { nfs: nfs('10.0.0.2:/nothing') },
    },
  },
};

/** nfs-ganesha: version 4 alone wants no portmapper; owners go as numbers, as a node without an id mapper sends them. */
const ganesha = (folder: string, share: string) => `
NFS_CORE_PARAM { Protocols = 4; Bind_addr = 10.0.0.2; Enable_NLM = false; Enable_RQUOTA = false; }
NFSv4 { Minor_Versions = 1, 2; Only_Numeric_Owners = true; Graceless = true; RecoveryBackend = fs; RecoveryRoot = ${folder}; }
EXPORT { Export_Id = 1; Path = ${share}; Pseudo = /instances; Access_Type = RW; Squash = No_Root_Squash; FSAL { Name = VFS; } }
`;

const MAY = process.getuid?.() === 0 ? {} : { skip: 'needs root: nfs-ganesha opens files by their handles' };

test(
  'instances lie on a share that is mounted before nova-compute starts, which does not start without it',
  MAY,
  async () => {
    const machine = { nics: 1, model: 'virtio-net-pci', memoryMb: 768 } as const;
    const boots = await openBootRack(
      {
        'site.yaml': JSON.stringify(SITE),
        'images/lab-nfs.yaml': RECIPE,
        'overlays/stand-in/etc/systemd/system/nova-compute.service': STAND_IN,
      },
      { node01: machine, node02: machine },
    );
    try {
      await buildLabImage('lab-nfs', boots.siteFolder, boots.stateFolder);
      const folder = join(boots.stateFolder, '../ganesha');
      const at = (name: string) => join(folder, name);
      const share = at('instances');
      mkdirSync(share, { recursive: true });
      chownSync(share, NOVA, NOVA);
      writeFileSync(at('conf'), ganesha(folder, share));
      const command = ['ganesha.nfsd', '-F', '-f', at('conf'), '-L', at('log'), '-p', at('pid')];
      const server = boots.rack.spawn(command, { stdio: 'ignore' });

      for (const name of ['node01', 'node02']) await boots.rack.boot(name);
      const node01 = await boots.settled('node01');
      assert.equal(node01.state, 'ready', JSON.stringify(node01.boot, null, 1));
      const [, said = ''] = await boots.rack.waitForConsole(
        'node01',
        /([^\n]*10\.0\.0\.2:\/instances[\s\S]*said end)/,
        10_000,
      );
      assert.match(said, /nfs4 +10\.0\.0\.2:\/instances/);
      assert.deepEqual(readdirSync(share), ['node01']);
      assert.equal(readFileSync(join(share, 'node01'), 'utf8'), 'node01\n');
      const { uid, gid } = statSync(join(share, 'node01'));
      assert.deepEqual([uid, gid], [NOVA, NOVA]);

      const failed = (code: 'hook' | 'service') =>
        boots.event(
          (one) => one.kind === 'node.step' && one.node === 'node02' && one.code === code && one.status === 'failed',
        );
      assert.match(
        JSON.stringify(await failed('hook')),
        /mounting 10\.0\.0\.2:\/nothing failed.*No such file or directory/,
      );
      const service = await failed('service');
      assert.partialDeepStrictEqual(service, { subject: 'nova-compute' });
      assert.match(JSON.stringify(service), /Dependency failed for nova-compute/);
      assert.deepEqual(readdirSync(share), ['node01'], 'nothing was written beside the share');
      assert.equal(server.exitCode, null, readFileSync(at('log'), 'utf8'));
    } finally {
      await boots.close();
    }
  },
);

/** Builds an image of the test's own, from the cache where it can, and puts it on the server's shelf. */
async function buildLabImage(name: string, siteFolder: string, stateFolder: string): Promise<void> {
  const loaded = await loadSite(siteFolder);
  const recipe = loaded.ok ? loaded.site.images.get(name) : undefined;
  assert(recipe, `${name} does not load`);
  const cache = defaultCache(process.env, process.getuid?.());
  const shelf = join(cache, 'test/nfs/images');
  await buildImage(recipe, {
    shelf: openShelf(shelf),
    cache,
    site: siteFolder,
    agent: agentFiles(),
    check: true,
    fresh: false,
    now: Date.now,
    onProgress: () => {},
  });
  await cp(shelf, join(stateFolder, 'images'), { recursive: true });
}
