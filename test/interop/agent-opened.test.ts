import assert from 'node:assert/strict';
import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';

// A root in RAM, which tells what was read: test/isolated makes /run one.
process.env.TMPDIR = '/run';
const { KERNEL, PORT, stage } = await import('./agent.stage.ts');

for (const [client, without] of [
  ['curl', []],
  ['GNU wget', ['curl']],
] as const) {
  test(`${client}: the list of opened files is sent again to a server that is busy, until it is taken`, async (t) => {
    const { machine } = await stage(t, 'dash', {}, { listen: false, without });
    for (const name of ['read', 'unread']) {
      const path = join(machine.root, 'etc', name);
      writeFileSync(path, name);
      utimesSync(path, 1_700_000_000, 1_700_000_000);
    }
    readFileSync(join(machine.root, 'etc/read'));
    const lists: string[][] = [];
    const server = createServer((asked, answer) => {
      const pieces: Buffer[] = [];
      asked.on('data', (piece) => pieces.push(piece));
      asked.on('end', () => {
        lists.push(gunzipSync(Buffer.concat(pieces)).toString().split('\n'));
        if (lists.length === 3) answer.writeHead(204).end();
        else answer.writeHead(lists.length === 1 ? 429 : 503, { 'retry-after': '1' }).end('busy');
      });
    });
    await new Promise<void>((resolve) => server.listen(PORT, '10.0.0.2', resolve));
    t.after(() => server.close());
    const { code, printed } = await machine.start(KERNEL, 'reveille-opened');
    assert.equal(code, 0, printed);
    assert.equal(lists.length, 3);
    for (const list of lists)
      assert.deepEqual(
        list.filter((path) => /read$/.test(path)),
        ['/etc/read'],
      );
  });
}

test('a wget that cannot send the list sends none', async (t) => {
  const { machine } = await stage(t, 'busybox', {}, { listen: false });
  const { code, printed } = await machine.start(KERNEL, 'reveille-opened');
  assert.deepEqual([code, printed], [0, '']);
});
