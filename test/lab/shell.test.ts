import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openShelf } from '../../src/image/shelf.ts';
import { demoImages } from './bootRack.ts';

const REVEILLE = join(import.meta.dirname, '../../bin/reveille');

type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string };

for (const root of ['initramfs', 'squashfs'] as const) {
  test(`a shell in an image with ${root} is root, shows what it changed, and changes nothing`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'shell-lab-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const images = await demoImages(root);
    mkdirSync(join(folder, 'state'));
    symlinkSync(images, join(folder, 'state/images'));
    const image = await openShelf(images).current('bookworm-ram');
    assert.ok(image);
    const file = image.root?.path ?? image.initrd.path;
    const before = createHash('sha256').update(readFileSync(file)).digest('hex');

    const script = `id -u; stat -c '%a %u:%g' /usr/bin/su /etc/shadow; echo new >/etc/new; rm -r /etc/default
      chmod 600 /etc/issue; dpkg --purge --force-all kmod >/dev/null 2>&1; exit 7`;
    const args = ['image', 'shell', 'bookworm-ram', '--state', join(folder, 'state'), '--', 'sh', '-c', script];
    const { code, stdout, stderr } = await new Promise<Ended>((resolve) => {
      execFile(REVEILLE, args, { env: { ...process.env, TMPDIR: folder } }, (error, out, words) =>
        resolve({ code: Number(error?.code ?? 0), stdout: out, stderr: words }),
      );
    });
    assert.equal(code, 7, stderr);
    assert.deepEqual(stdout.trim().split('\n'), ['0', '4755 0:0', '640 0:42']);
    for (const line of [
      'removed:\n  kmod',
      'new files:\n  /etc/new',
      'changed files:\n  /etc/issue',
      'remove:\n  - kmod',
    ])
      assert.ok(stderr.includes(line), stderr);
    assert.equal(createHash('sha256').update(readFileSync(file)).digest('hex'), before);
  });
}
