import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type SyncOptions, type SyncResult, syncNodes } from '../../src/node/sync.ts';
import { type Flavour, NOVA } from './agent.rig.ts';
import { KERNEL, leftBeside, stage, until } from './agent.stage.ts';

// What is private in the site is private on the node, and folders come with their modes.

const FLAVOURS: readonly Flavour[] = ['dash', 'busybox'];

const DECLARED = `
/etc/app: { group: nova, mode: "0750" }
/etc/app/a.conf: { group: nova, mode: "0640" }
/srv/share/: { group: nova, mode: "2770" }
`;

for (const flavour of FLAVOURS) {
  test(`${flavour}: modes and folders of the site are those of the node, follow it while it runs, and go as they came`, async (t) => {
    const { machine, site, server } = await stage(t, flavour, {
      'nodes/node01/overlay.yaml': DECLARED,
      'nodes/node01/files/etc/app/a.conf': 'a',
      'nodes/node01/files/etc/own/deep/x': 'x',
      'nodes/node01/files/root/.ssh/id': 'key',
      'nodes/node01/files/etc/kept/key': 'key',
    });
    const inSite = (path: string) => join(site.root, 'nodes/node01/files', path);
    const mode = (path: string) => (statSync(join(machine.root, path)).mode & 0o7777).toString(8);
    const group = (path: string) => statSync(join(machine.root, path)).gid;
    mkdirSync(inSite('srv/empty'), { recursive: true });
    mkdirSync(inSite('etc/image'));
    for (const path of ['root/.ssh', 'etc/kept', 'etc/image']) chmodSync(inSite(path), 0o700);
    chmodSync(inSite('etc/own/deep'), 0o750);
    chmodSync(inSite('root/.ssh/id'), 0o400);
    // Folders that the image has: one is named in overlay.yaml, the others keep what they have.
    for (const path of ['etc/app', 'etc/image', 'etc/kept']) mkdirSync(join(machine.root, path), { mode: 0o755 });

    const { code, printed } = await machine.start(KERNEL);
    assert.equal(code, 0, printed);
    const modes = () =>
      [
        'etc/app',
        'etc/app/a.conf',
        'srv/share',
        'srv/empty',
        'etc/own',
        'etc/own/deep',
        'etc/own/deep/x',
        'root/.ssh',
        'root/.ssh/id',
        'etc/image',
        'etc/kept',
        'etc/kept/key',
      ].map((path) => `${path} ${mode(path)}`);
    assert.deepEqual(modes(), [
      'etc/app 750',
      'etc/app/a.conf 640',
      'srv/share 2770',
      'srv/empty 755',
      'etc/own 755',
      'etc/own/deep 750',
      'etc/own/deep/x 640',
      'root/.ssh 700',
      'root/.ssh/id 400',
      'etc/image 755',
      'etc/kept 755',
      'etc/kept/key 600',
    ]);
    assert.deepEqual([group('etc/app'), group('srv/share'), group('root/.ssh')], [NOVA, NOVA, 0]);
    await until(() => server.orders.isWaiting('node01'));
    assert.deepEqual({ ...(await sync(server)), ms: 0 }, DONE, 'nothing drifts by itself');
    assert.equal(server.news().at(-1)?.applied.drifted, 0);
    assert.equal(server.news().at(-1)?.applied.folders, true);

    // Modes alone change.
    chmodSync(inSite('root/.ssh/id'), 0o600);
    chmodSync(inSite('root/.ssh'), 0o750);
    chmodSync(inSite('etc/own/deep'), 0o755);
    writeFileSync(join(site.root, 'nodes/node01/overlay.yaml'), DECLARED.replace('2770', '0770'));
    assert.deepEqual({ ...(await sync(server)), ms: 0 }, { ...DONE, changed: 4, removed: 1 });
    assert.deepEqual(['root/.ssh/id', 'root/.ssh', 'etc/own/deep', 'etc/own/deep/x', 'srv/share'].map(mode), [
      '600',
      '750',
      '755',
      '644',
      '770',
    ]);

    // What somebody changes is told and restored.
    chmodSync(join(machine.root, 'root/.ssh'), 0o777);
    rmdirSync(join(machine.root, 'srv/empty'));
    assert.deepEqual({ ...(await sync(server)), ms: 0 }, DONE);
    assert.deepEqual(
      server
        .news()
        .at(-1)
        ?.applied.drift.map(({ path, what, access }) => `${what} ${path} ${access?.mode ?? ''}`)
        .sort(),
      ['access /root/.ssh 777', 'missing /srv/empty '],
    );
    assert.equal((await sync(server, { what: 'restore' })).changed, 2);
    assert.deepEqual([mode('root/.ssh'), mode('srv/empty')], ['750', '755']);
    assert.equal(server.news().at(-1)?.applied.drifted, 0);

    // All of it leaves: what was made goes if it is empty, the image's own is as it was, and what others keep stays private.
    writeFileSync(join(machine.root, 'root/.ssh/others'), 'private');
    rmSync(join(site.root, 'nodes/node01/overlay.yaml'));
    rmSync(join(site.root, 'nodes/node01/files'), { recursive: true });
    assert.equal((await sync(server)).result, 'done');
    for (const path of ['srv', 'etc/own', 'etc/app/a.conf', 'root/.ssh/id'])
      assert.equal(existsSync(join(machine.root, path)), false, path);
    assert.deepEqual(
      [mode('etc/app'), group('etc/app'), mode('root/.ssh'), mode('etc/image')],
      ['755', 0, '750', '755'],
    );
    assert.deepEqual(leftBeside(machine.root), []);
    assert.deepEqual({ ...(await sync(server)), ms: 0 }, DONE);
  });

  test(`${flavour}: a folder takes the place of a file and the other way round; what is in the way is reported and stops no boot`, async (t) => {
    const { machine, site, server } = await stage(t, flavour, {
      'nodes/node01/files/etc/turns': 'a file',
      'nodes/node01/files/etc/other/x': 'x',
      'nodes/node01/files/srv/blocked/.gitkeep': '',
    });
    mkdirSync(join(machine.root, 'srv'));
    writeFileSync(join(machine.root, 'srv/blocked'), 'a file of the image');
    const { code, printed } = await machine.start(KERNEL);
    assert.equal(code, 3, 'reported, and the rest is done');
    assert.match(printed, /\/srv\/blocked: is not a folder on this machine/);
    assert.equal(machine.read('etc/turns'), 'a file');
    await until(() => server.orders.isWaiting('node01'));

    rmSync(join(site.root, 'nodes/node01/files/srv'), { recursive: true });
    rmSync(join(site.root, 'nodes/node01/files/etc/turns'));
    mkdirSync(join(site.root, 'nodes/node01/files/etc/turns'));
    for (let i = 0; i < 2; i++) await sync(server);
    assert.ok(statSync(join(machine.root, 'etc/turns')).isDirectory());
    rmdirSync(join(site.root, 'nodes/node01/files/etc/turns'));
    writeFileSync(join(site.root, 'nodes/node01/files/etc/turns'), 'a file again');
    for (let i = 0; i < 2; i++) await sync(server);
    assert.equal(machine.read('etc/turns'), 'a file again');
    assert.deepEqual({ ...(await sync(server)), ms: 0 }, DONE);
  });
}

const DONE: SyncResult = { node: 'node01', result: 'done', changed: 0, removed: 0, ms: 0, detail: null };

type Server = Awaited<ReturnType<typeof stage>>['server'];

async function sync(server: Server, options: Partial<SyncOptions> = {}): Promise<SyncResult> {
  const gone = new AbortController().signal;
  const all = { what: 'apply', wait: false, patienceMs: 40_000, gone, ...options } as const;
  for await (const result of syncNodes(['node01'], all, server.orders, server.feed)) return result;
  throw new Error('no result');
}
