import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { NodeDiff } from '../../src/node/diff.ts';
import type { SyncResult } from '../../src/node/sync.ts';
import { type BootRack, openBootRack } from './bootRack.ts';

const PROGRAM = join(import.meta.dirname, '../../bin/reveille');
const SITE = (overlays: string) => `site: refresh
networks:
  rack: { interface: br0, subnet: 10.0.0.0/24, server: 10.0.0.2 }
nodes:
  node01:
    mac: 52:54:00:00:01:00
    ip: 10.0.0.60
    image: bookworm-ram
    kernelArgs: [console=ttyS0, quiet, no_timer_check]
    overlays: [${overlays}]
`;
/** Says on the console what the node reads in a file of the image that the overlay takes the place of. */
const HOOK = 'hooks:\n  - { files: [/etc/issue], run: "echo saw $(head -n 1 /etc/issue) >/dev/console" }\n';

test('a node that runs follows its site: at once, by diff and sync, and gets the image`s own file back', async () => {
  const boots = await openBootRack(
    {
      'site.yaml': SITE('base, issue'),
      'overlays/base/etc/base.conf': 'base',
      'overlays/issue/etc/issue': 'first words\n',
      'overlays/issue/overlay.yaml': HOOK,
    },
    { node01: { nics: 1, model: 'virtio-net-pci' } },
  );
  try {
    await boots.rack.boot('node01');
    const node = await boots.settled('node01');
    assert.equal(node.state, 'ready', JSON.stringify(node.boot, null, 1));
    await boots.rack.waitForConsole('node01', /saw first words/, 10_000);
    assert.equal((await reveille(boots, 'diff', 'node01')).code, 0);

    await changed(boots, 'overlays/issue/etc/issue', 'second words\n');
    const diff = await reveille(boots, 'diff', 'node01');
    assert.equal(diff.code, 1);
    assert.deepEqual(
      (diff.json as NodeDiff).changes.map(({ path, before, after }) => [path, before?.text, after?.text]),
      [['/etc/issue', 'first words\n', 'second words\n']],
    );
    assert.deepEqual((diff.json as NodeDiff).hooks, ['echo saw $(head -n 1 /etc/issue) >/dev/console']);
    assert.equal((await boots.status('node01')).files?.state, 'behind');
    const [synced] = (await reveille(boots, 'sync', 'node01', '--wait')).json as SyncResult[];
    assert.deepEqual(
      { ...synced, ms: 0 },
      { node: 'node01', result: 'done', changed: 1, removed: 0, ms: 0, detail: null },
    );
    await boots.rack.waitForConsole('node01', /saw second words/, 10_000);
    const { state, files } = await boots.status('node01');
    assert.equal(state, 'ready', 'a refresh is no part of the boot');
    assert.equal(files?.state, 'in sync');

    await rm(join(boots.siteFolder, 'overlays/issue'), { recursive: true });
    await changed(boots, 'site.yaml', SITE('base'));
    const last = await reveille(boots, 'sync', 'node01');
    assert.equal(last.code, 0, last.text);
    assert.equal((last.json as SyncResult[])[0]?.removed, 1);
    await boots.rack.waitForConsole('node01', /saw Debian GNU\/Linux/, 10_000);
    assert.equal((await reveille(boots, 'diff', 'node01')).code, 0);
  } finally {
    await boots.close();
  }
});

/** Writes a file of the site and waits until the server has taken it up. */
async function changed(boots: BootRack, path: string, text: string): Promise<void> {
  const at = Date.now();
  await boots.write(path, text);
  await boots.event((event) => event.kind === 'site.loaded' && event.at >= at);
}

/** Runs the program as an operator does, with `--json`. */
function reveille(boots: BootRack, ...args: string[]): Promise<{ code: number; text: string; json: unknown }> {
  return new Promise((resolve) => {
    execFile(PROGRAM, [...args, '--state', boots.stateFolder, '--json'], (error, text, said) => {
      const code = typeof error?.code === 'number' ? error.code : 0;
      resolve({ code, text: `${text}${said}`, json: text === '' ? undefined : JSON.parse(text) });
    });
  });
}
