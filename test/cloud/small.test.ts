import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { openShelf } from '../../src/image/shelf.ts';
import { openStory } from './story.rig.ts';

const SITE = join(import.meta.dirname, '../../examples/cloud');
const NODE02 = 'node02: { mac: 52:54:00:00:00:52, ip: 10.0.0.52, profiles: [compute] }';
const AS_INITRD = 'bookworm-nova-initrd';
const MEGABYTE = 1e6;

it('the compute image is small, and so are the machines that it runs on', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'reveille-small-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const key = join(folder, 'key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', key]);
  const { cloud, state, inService } = await openStory(
    t,
    SITE,
    async (site) => {
      await writeFile(join(site, `images/${AS_INITRD}.yaml`), 'extends: bookworm-nova\nroot: initramfs\n');
      const file = join(site, 'site.yaml');
      const text = await readFile(file, 'utf8');
      assert(text.includes(NODE02));
      const sshpub = `'sshpub=${readFileSync(`${key}.pub`, 'utf8').trim()}'`;
      // The second node is never switched on: it brings the other form of the image onto the shelf.
      const changed = text
        .replace(NODE02, `${NODE02.slice(0, -2)}, image: ${AS_INITRD} }`)
        .replace('[console=ttyS0]', `[console=ttyS0, ${sshpub}]`);
      await writeFile(file, changed);
    },
    1024,
  );

  await t.test('as a squashfs root it has 210 MB at most, as an initrd 185 MB', async (t) => {
    const shelf = openShelf(join(state, 'images'));
    const root = (await shelf.current('bookworm-nova'))?.root?.size ?? Number.NaN;
    const initrd = (await shelf.current(AS_INITRD))?.initrd.size ?? Number.NaN;
    t.diagnostic(`squashfs ${(root / MEGABYTE).toFixed(0)} MB, initrd ${(initrd / MEGABYTE).toFixed(0)} MB`);
    assert(root <= 210 * MEGABYTE);
    assert(initrd <= 185 * MEGABYTE);
  });

  await t.test('a machine with 1,024 MB comes into service', async (t) => {
    await cloud.rack.boot('node01');
    await inService('node01');
    const options = ['-i', key, '-o', 'StrictHostKeyChecking=no', '-o', `UserKnownHostsFile=${join(folder, 'known')}`];
    const { stdout, stderr } = await cloud.rack.exec(['ssh', ...options, 'root@10.0.0.51', 'free', '-m']);
    const [, , left = ''] = /^Mem:(?: +\d+){4} +(\d+) +(\d+)/m.exec(stdout) ?? [];
    t.diagnostic(`${left} MB are available\n${stdout}`);
    assert(Number(left) > 0, stderr);
  });
});
