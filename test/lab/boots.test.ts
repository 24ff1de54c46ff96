import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeStatus } from '../../src/timeline/status.ts';
import { type Hardware, openBootRack } from './bootRack.ts';

/** Says on the console which node this has become. */
const SAY = 'echo "said name=$(hostname) $(cat /etc/facts.conf)" >/dev/console\n';

/** What templates know of the machine: how many cards, which one booted, and the first other one. */
const FACTS = [
  '{% set others = facts.nics | rejectattr("boot") | list %}',
  'role={{ vars.role }} nics={{ facts.nics | length }} boot={{ (facts.nics | selectattr("boot") | first).mac }}',
  ' other={{ others[0].mac if others | length else "none" }}',
].join('');

describe('whole boots', { concurrency: 1 }, () => {
  test('BIOS and UEFI, virtio and e1000, iPXE and pxelinux, 1, 2 and 6 cards; a settings.sh that hangs is ended, reported and not ready', async () => {
    const hardware: { readonly [name: string]: Hardware } = {
      virtio1: { nics: 1, model: 'virtio-net-pci' },
      e1000two: { nics: 2, model: 'e1000' },
      virtio6: { nics: 6, model: 'virtio-net-pci' },
      uefi: { nics: 2, model: 'virtio-net-pci', firmware: 'uefi' },
      broken: { nics: 1, model: 'e1000' },
    };
    const loaders = { virtio1: 'pxelinux', e1000two: 'pxelinux', virtio6: 'ipxe', uefi: 'auto', broken: 'auto' };
    const site = siteText(loaders).replace(/(broken: .*loader: auto)/, '$1, settingsLimit: 10s');
    const hanging = '#!/bin/sh\necho "waiting for the RAID card" >&2\n(sleep 900) &\nsleep 900\n';
    const boots = await openBootRack(
      { ...filesFor(site, Object.keys(hardware)), 'nodes/broken/settings.sh': hanging },
      hardware,
    );
    try {
      await Promise.all(Object.keys(hardware).map((name) => boots.rack.boot(name)));
      const [virtio1, e1000two, virtio6, uefi, broken] = await Promise.all(
        ['virtio1', 'e1000two', 'virtio6', 'uefi', 'broken'].map((name) => boots.settled(name)),
      );

      for (const [node, loader] of [
        [virtio1, 'pxelinux.0'],
        [e1000two, 'pxelinux.0'],
        [virtio6, undefined],
        [uefi, 'snponly.efi'],
      ] as const) {
        assert.ok(node);
        assert.equal(node.state, 'ready', JSON.stringify(node.boot, null, 1));
        assert.equal(loaderOf(node), loader);
        const [, nics, boot, other] = await boots.rack.waitForConsole(
          node.name,
          new RegExp(`said name=${node.name} role=first nics=(\\d+) boot=(\\S+) other=(\\S+)`),
          10_000,
        );
        const machine = boots.rack.rack.machines.find(({ name }) => name === node.name);
        const macs = machine?.nics.map(({ mac }) => mac as string) ?? [];
        assert.equal(Number(nics), macs.length);
        assert.equal(boot, macs[0]);
        assert.ok(macs.length === 1 ? other === 'none' : macs.slice(1).includes(other ?? ''), `other card ${other}`);
      }

      const way = ['firmware-asks', 'loader', 'ipxe-asks', 'script', 'ready'];
      const taken = new Set(uefi?.boot?.steps.map((step): string => step.code));
      assert.deepEqual(
        [...taken].filter((code) => way.includes(code)),
        way,
      );

      assert.equal(broken?.state, 'failed');
      const failed = broken?.boot?.steps.find((step) => step.status === 'failed');
      assert.equal(failed?.code, 'settings');
      assert.match(failed?.detail ?? '', /ran for 10 s and was ended/);
      assert.match(failed?.output ?? '', /waiting for the RAID card/);
      await sleep(3000);
      assert.equal((await boots.status('broken')).state, 'failed', 'it does not become ready later');
      assert.ok(!broken?.boot?.steps.some((step) => step.code === 'ready' && step.status === 'done'));
    } finally {
      await boots.close();
    }
  });

  test('a site edited while nodes boot: a good edit reaches them, a bad one leaves the last good site serving', async () => {
    const site = siteText({ node01: 'auto' });
    const boots = await openBootRack(filesFor(site, ['node01']), { node01: { nics: 1, model: 'virtio-net-pci' } });
    try {
      await boots.rack.boot('node01');
      await boots.event((event) => event.kind === 'http.sent' && event.file.endsWith('/vmlinuz'));
      const edited = Date.now();
      await boots.write('site.yaml', site.replace('role: first', 'role: second'));
      await boots.event((event) => event.kind === 'site.loaded' && event.at >= edited);
      await boots.write(
        'site.yaml',
        site.replace('role: first', 'role: third').replace('subnet: 10.0.0.0/24', 'subnet: nowhere'),
      );
      const rejected = await boots.event((event) => event.kind === 'site.rejected');
      assert.ok(rejected.kind === 'site.rejected');
      assert.match(rejected.errors.join('\n'), /site\.yaml:\d+:\d+.*nowhere/);

      assert.equal((await boots.settled('node01')).state, 'ready');
      const [, role] = await boots.rack.waitForConsole('node01', /said name=node01 role=(\w+)/, 10_000);
      assert.equal(role, 'second');
    } finally {
      await boots.close();
    }
  });

  test('a server killed and started again while a node boots: the node becomes ready all the same', async () => {
    const site = siteText({ node01: 'auto' });
    const boots = await openBootRack(filesFor(site, ['node01']), { node01: { nics: 1, model: 'virtio-net-pci' } });
    try {
      await boots.rack.boot('node01');
      await boots.event((event) => event.kind === 'node.step' && event.code === 'network' && event.status === 'done');
      await boots.server.stop('SIGKILL');
      await sleep(5000);
      await boots.restart();
      const node = await boots.settled('node01');
      assert.equal(node.state, 'ready', JSON.stringify(node.boot, null, 1));
      await boots.rack.waitForConsole('node01', /said name=node01 role=first/, 10_000);
    } finally {
      await boots.close();
    }
  });
});

function siteText(loaders: { readonly [node: string]: string }): string {
  return [
    'site: boots',
    'networks:',
    '  rack: { interface: br0, subnet: 10.0.0.0/24, server: 10.0.0.2 }',
    'profiles:',
    '  worker: { image: bookworm-ram, kernelArgs: [console=ttyS0, quiet, no_timer_check], overlays: [facts], vars: { role: first } }',
    'nodes:',
    ...Object.entries(loaders).map(
      ([name, loader], i) =>
        `  ${name}: { mac: "52:54:00:00:01:0${i}", ip: 10.0.0.${60 + i}, profiles: [worker], loader: ${loader} }`,
    ),
    '',
  ].join('\n');
}

function filesFor(site: string, nodes: readonly string[]): { [path: string]: string } {
  return {
    'site.yaml': site,
    'overlays/facts/etc/facts.conf.j2': FACTS,
    ...Object.fromEntries(nodes.map((name) => [`nodes/${name}/settings.sh`, `#!/bin/sh\nset -e\n${SAY}`])),
  };
}

/** The first loader that the node fetched: `pxelinux.0`. */
function loaderOf(node: NodeStatus): string | undefined {
  return node.boot?.steps.find((step) => step.code === 'loader')?.detail?.split(',')[0];
}
