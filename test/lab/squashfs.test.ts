import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openShelf } from '../../src/image/shelf.ts';
import { diagnose } from '../../src/timeline/diagnose.ts';
import { diagnosisText } from '../../src/words/diagnosis.ts';
import { type Hardware, openBootRack } from './bootRack.ts';

/** Small machines: a root that is unpacked in RAM does not fit into theirs (see docs/images.md). */
const MEMORY_MB = 192;

const NODES: { readonly [name: string]: Hardware & { readonly loader: string } } = {
  ipxe: { nics: 1, model: 'virtio-net-pci', loader: 'auto', memoryMb: MEMORY_MB },
  pxelinux: { nics: 2, model: 'e1000', loader: 'pxelinux', memoryMb: MEMORY_MB },
};

const SITE = [
  'site: squash',
  'networks:',
  '  rack: { interface: br0, subnet: 10.0.0.0/24, server: 10.0.0.2 }',
  'profiles:',
  '  worker: { image: bookworm-ram, kernelArgs: [console=ttyS0, quiet, no_timer_check] }',
  'nodes:',
  ...Object.entries(NODES).map(
    ([name, { loader }], i) =>
      `  ${name}: { mac: "52:54:00:00:02:0${i}", ip: 10.0.0.${80 + i}, profiles: [worker], loader: ${loader} }`,
  ),
  '',
].join('\n');

/** Says on the console what the node's root is, that it can be written to, and what RAM is left. */
const SETTINGS = `#!/bin/sh
set -e
echo written >/usr/share/written
{
  echo "said root=$(stat -f -c %T /)/$(sed -n 's/^[^ ]* .run.initramfs.reveille.lower \\([a-z]*\\) .*/\\1/p' /proc/mounts)"
  echo "said caps=$(ls /run/initramfs/reveille/writes/upper/usr/share/written)"
  echo "said free=$(sed -n 's/^MemAvailable: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo)"
} >/dev/console
`;

describe('a squashfs root', { concurrency: 1 }, () => {
  test('boots by iPXE and by pxelinux in little RAM, goes on after a cut, and is refused where it is damaged', async () => {
    const boots = await openBootRack(
      {
        'site.yaml': SITE,
        ...Object.fromEntries(Object.keys(NODES).map((name) => [`nodes/${name}/settings.sh`, SETTINGS])),
      },
      NODES,
      'squashfs',
    );
    try {
      const image = await openShelf(join(boots.stateFolder, 'images')).current('bookworm-ram');
      const root = image?.root ?? assert.fail('the image has no squashfs root');

      await Promise.all(Object.keys(NODES).map((name) => boots.rack.boot(name)));
      for (const name of Object.keys(NODES)) {
        const node = await boots.settled(name);
        assert.equal(node.state, 'ready', JSON.stringify(node.boot, null, 1));
        const fetched = node.boot?.steps.filter((step) => step.code === 'root' && step.status === 'done');
        assert.match(fetched?.at(-1)?.detail ?? '', /fetched and checked/);
        await boots.rack.waitForConsole(name, /said root=overlayfs\/squashfs/, 10_000);
        const [, free] = await boots.rack.waitForConsole(name, /said free=(\d+)/, 10_000);
        console.log(`${name}: ${Math.round(Number(free) / 1024)} MB of ${MEMORY_MB} MB RAM left`);
        await boots.rack.powerOff(name);
      }

      // Killed while it sends: the node asks the new server for the rest alone.
      const again = Date.now();
      await boots.rack.boot('ipxe');
      await boots.event(
        (event) =>
          event.at >= again && event.kind === 'node.step' && event.code === 'root' && event.status === 'started',
      );
      const before = sentToMachines(boots.rack.pid);
      while (sentToMachines(boots.rack.pid) - before < 4_000_000) await sleep(5);
      await boots.server.stop('SIGKILL');
      const restarted = Date.now();
      await boots.restart();
      const rest = await boots.event(
        (event) => event.at >= restarted && event.kind === 'http.sent' && event.file.endsWith('/root.squashfs'),
      );
      assert.ok(rest.kind === 'http.sent' && rest.bytes < root.size, `${JSON.stringify(rest)} of ${root.size} bytes`);
      assert.equal((await boots.settled('ipxe')).state, 'ready');
      await boots.rack.powerOff('ipxe');

      const file = await open(root.path, 'r+');
      await file.write(Buffer.from('damaged'), 0, 7, Math.floor(root.size / 2));
      await file.close();
      const damaged = Date.now();
      await boots.rack.boot('ipxe');
      await boots.event(
        (event) =>
          event.at >= damaged && event.kind === 'node.step' && event.code === 'root' && event.status === 'failed',
      );
      const refused = await boots.settled('ipxe');
      assert.equal(refused.state, 'failed');
      const { summary } = diagnosisText(diagnose(refused, true, Date.now()));
      assert.match(
        summary,
        new RegExp(`The step root failed on ipxe: the root has the wrong checksum .*${root.sha256}`),
      );
      await boots.rack.waitForConsole('ipxe', /FAILED: the root has the wrong checksum/, 10_000);
      await boots.rack.waitForConsole('ipxe', /rebooting in 60 s/, 10_000);
    } finally {
      await boots.close();
    }
  });
});

/** Bytes that went out to the machines of a rack, by the counters of its taps. */
function sentToMachines(pid: number): number {
  const counters = readFileSync(`/proc/${pid}/net/dev`, 'utf8').matchAll(/^ *tap\S+:((?: +\d+){9})/gm);
  return [...counters].reduce((sum, [, columns = '']) => sum + Number(columns.trim().split(/ +/)[8]), 0);
}
