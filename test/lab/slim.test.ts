import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { SlimReport } from '../../src/cli/imageSlim.ts';
import { readOpened } from '../../src/image/opened.ts';
import { openBootRack } from './bootRack.ts';

const REVEILLE = join(import.meta.dirname, '../../bin/reveille');

test('a node tells which files it opened, and image slim proposes what it did not', async () => {
  const boots = await openBootRack(
    {
      'site.yaml': [
        'site: slim',
        'networks:',
        '  rack: { interface: br0, subnet: 10.0.0.0/24, server: 10.0.0.2 }',
        'nodes:',
        '  node01: { mac: "52:54:00:00:04:01", ip: 10.0.0.91, image: bookworm-ram, kernelArgs: [console=ttyS0, quiet, no_timer_check] }',
        '',
      ].join('\n'),
      // Its timer would wait for minutes.
      'nodes/node01/settings.sh':
        '#!/bin/sh\nset -e\ncat /usr/share/common-licenses/BSD\nsystemctl start reveille-opened\n',
    },
    { node01: { nics: 1, model: 'virtio-net-pci' } },
  );
  try {
    await boots.rack.boot('node01');
    const node = await boots.settled('node01');
    assert.equal(node.state, 'ready', JSON.stringify(node.boot, null, 1));
    const opened = await readOpened(boots.stateFolder, 'bookworm-ram');
    assert.equal(opened?.reports, 1);
    const has = (path: string) => opened?.paths.has(path);
    assert.ok(
      has('/usr/sbin/reveille-agent') && has('/usr/lib/systemd/systemd') && has('/usr/share/common-licenses/BSD'),
    );
    assert.ok(!has('/usr/share/common-licenses/GPL-3') && !has('/usr/sbin/tc'), 'what was not read is not told');
    console.log(`${opened?.paths.size} files were opened`);

    const { stdout } = await promisify(execFile)(
      REVEILLE,
      ['image', 'slim', 'bookworm-ram', '--site', boots.siteFolder, '--state', boots.stateFolder, '--json'],
      { maxBuffer: 1 << 26 },
    );
    const report = JSON.parse(stdout) as SlimReport;
    assert.equal(report.boots?.reports, 1);
    const unopened = report.savings.filter(({ grounds }) => grounds === 'unopened');
    assert.ok(unopened.length > 0);
    for (const { remove, bytes } of unopened) console.log(`${remove}: ${(bytes / 1e6).toFixed(1)} MB`);
    assert.ok(!report.savings.some(({ remove }) => /common-licenses|linux-image|^systemd$|^libc6$/.test(remove)));
  } finally {
    await boots.close();
  }
});
