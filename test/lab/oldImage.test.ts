import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { demoImages, openBootRack } from './bootRack.ts';
import { importSite, writeOldRack } from './oldImage.rig.ts';

const CARD = { nics: 1, model: 'virtio-net-pci' } as const;

test('an imported rack boots its old image unchanged, by pxelinux and then by iPXE, and the old script finds its files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'reveille-old-'));
  try {
    const { dhcpd, tftp } = await writeOldRack(folder, await demoImages());
    const { files } = await importSite(['--dhcpd', dhcpd, '--tftp', tftp, '--interface', 'br0'], join(folder, 'site'));
    assert.ok(files['nodes/10-0-0-51/settings.sh']);
    // The next step away from the old parts, for one node: another loader.
    const site = files['site.yaml'] ?? '';
    const edited = site.replace(/^( {2}node02:.*\n)/m, '$1    loader: ipxe\n');
    assert.notEqual(edited, site);

    const boots = await openBootRack({ ...files, 'site.yaml': edited }, { node01: CARD, node02: CARD });
    try {
      const boot = async (name: string) => {
        await boots.rack.boot(name);
        const [, settings = ''] = await boots.rack.waitForConsole(name, /settings: (.*)/, 180_000);
        const [, done = ''] = await boots.rack.waitForConsole(name, /old image done: (.*)/, 60_000);
        return [settings.trim(), done.trim()];
      };
      const [pxelinux, ipxe] = await Promise.all([boot('node01'), boot('node02')]);
      assert.deepEqual(pxelinux, ['0 on cloud-node01, store at 10.0.0.91', 'cloud-node01 has 10.0.0.51 from 10.0.0.2']);
      assert.deepEqual(ipxe, ['0 on cloud-node02, store at 10.0.0.92', 'cloud-node02 has 10.0.0.52 from 10.0.0.2']);

      for (const name of ['node01', 'node02']) {
        const { state, entry, boot: steps } = await boots.status(name);
        assert.equal(state, 'loaded', JSON.stringify(steps));
        assert.equal(entry, 'diskless');
      }
      const { boot: first } = await boots.status('node01');
      const { boot: second } = await boots.status('node02');
      const sent = (of: typeof first) => of?.steps.flatMap((step) => ('file' in step ? (step.file ?? []) : [])) ?? [];
      assert.ok(sent(first).includes('cloud/initrd.img') && sent(first).some((file) => file.includes('pxelinux.cfg/')));
      assert.ok(sent(second).includes('files/cloud/initrd.img') && sent(second).some((file) => file.includes('ipxe/')));
      assert.ok(sent(first).includes('10-0-0-51/settings.sh'));
    } finally {
      await boots.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
