import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type BundleFile, makeBundle } from '../../src/node/bundle.ts';
import { type SyncOptions, type SyncResult, syncNodes } from '../../src/node/sync.ts';
import { type Flavour, killAll, type Rig } from './agent.rig.ts';
import { fakeSystemd, KERNEL, leftBeside, PORT, stage, until } from './agent.stage.ts';

const FLAVOURS: readonly Flavour[] = ['dash', 'busybox'];
const HOOKS = `hooks:
  - { files: [/etc/app/**], run: 'echo app >> /root/hooks' }
  - run: echo any >> /root/hooks
`;

for (const flavour of FLAVOURS) {
  test(`${flavour}: a running node follows the site: changed, added, removed, given back; each hook once, after all files`, async (t) => {
    const { machine, site, server } = await stage(t, flavour, {
      'overlays/nova/etc/app/a.conf': 'a',
      'overlays/nova/etc/app/same.conf': 'same',
      'overlays/nova/opt/new/deep/only.conf': 'only',
      'overlays/nova/etc/owned.conf': 'ours',
      'overlays/nova/overlay.yaml': HOOKS,
    });
    imageHas(machine, 'etc/owned.conf', 'of the image', 0o600);
    imageHas(machine, 'etc/app/image.conf', 'stays');
    symlinkSync('/somewhere', join(machine.root, 'etc/linked'));
    const { code, printed } = await machine.start(KERNEL);
    assert.equal(code, 0, printed);
    assert.equal(machine.read('root/hooks'), 'app\nany\n');
    assert.ok(server.event('hook', 'done'));
    await until(() => server.orders.isWaiting('node01'));
    const news = server.news();
    assert.equal(news.length, 1, 'the boot told what it laid, and nothing since');
    const inode = statSync(join(machine.root, 'etc/app/same.conf')).ino;

    edit(site.root, {
      'overlays/nova/etc/app/a.conf': 'a2',
      'overlays/nova/etc/app/b.conf': 'b',
      'overlays/nova/etc/linked': 'no link any more',
      'overlays/nova/opt': undefined,
      'overlays/nova/etc/owned.conf': undefined,
    });
    const result = await sync(server);
    assert.deepEqual({ ...result, ms: 0 }, { ...DONE, changed: 3, removed: 2 });
    assert.equal(machine.read('etc/app/a.conf'), 'a2');
    assert.equal(machine.read('etc/app/b.conf'), 'b');
    assert.equal(machine.read('etc/linked'), 'no link any more');
    assert.equal(machine.read('etc/owned.conf'), 'of the image');
    assert.equal(statSync(join(machine.root, 'etc/owned.conf')).mode & 0o777, 0o600);
    assert.equal(existsSync(join(machine.root, 'opt')), false, 'folders made for the file are gone');
    assert.equal(machine.read('etc/app/image.conf'), 'stays');
    assert.equal(statSync(join(machine.root, 'etc/app/same.conf')).ino, inode, 'what did not change was not written');
    assert.equal(machine.read('root/hooks'), 'app\nany\napp\nany\n');
    assert.deepEqual(leftBeside(machine.root), []);
    assert.equal(server.events().at(-1)?.during, 'refresh');
    assert.match(server.news().at(-1)?.applied.manifest ?? '', /\/etc\/app\/b\.conf\n/);

    // All of it leaves; the hooks that left with it run a last time.
    edit(site.root, { 'overlays/nova/etc': undefined, 'overlays/nova/overlay.yaml': undefined });
    assert.deepEqual({ ...(await sync(server)), ms: 0 }, { ...DONE, changed: 0, removed: 4 });
    assert.deepEqual(readdirSync(join(machine.root, 'etc/app')), ['image.conf']);
    assert.equal(readlinkSync(join(machine.root, 'etc/linked')), '/somewhere');
    assert.equal(machine.read('root/hooks'), 'app\nany\napp\nany\napp\nany\n');
    // Nothing changed, nothing is told but to the one who asks.
    assert.deepEqual({ ...(await sync(server)), ms: 0 }, DONE);
  });

  test(`${flavour}: what others change on the node is reported and left alone, until the site changes it or it is restored`, async (t) => {
    const { machine, site, server } = await stage(t, flavour, {
      'overlays/nova/etc/a b.conf': 'a',
      'overlays/nova/etc/b\\c.conf': 'b',
      'overlays/nova/etc/mode': 'm',
      'overlays/nova/etc/gone': 'g',
      'overlays/nova/overlay.yaml': 'hooks: [{ files: [/etc/gone], run: echo gone >> /root/hooks }]\n',
    });
    symlinkSync('there', join(site.root, 'overlays/nova/etc/link'));
    assert.equal((await machine.start(KERNEL)).code, 0);
    await until(() => server.orders.isWaiting('node01'));
    writeFileSync(join(machine.root, 'etc/a b.conf'), 'by hand');
    writeFileSync(join(machine.root, 'etc/b\\c.conf'), 'by hand');
    chmodSync(join(machine.root, 'etc/mode'), 0o600);
    rmSync(join(machine.root, 'etc/gone'));
    rmSync(join(machine.root, 'etc/link'));
    symlinkSync('elsewhere', join(machine.root, 'etc/link'));

    assert.deepEqual({ ...(await sync(server)), ms: 0 }, DONE);
    const told = server.news().at(-1)?.applied;
    assert.equal(told?.drifted, 5);
    assert.deepEqual(told?.drift.map(({ path, what }) => `${what} ${path}`).sort(), [
      'access /etc/mode',
      'content /etc/a b.conf',
      'content /etc/b\\c.conf',
      'content /etc/link',
      'missing /etc/gone',
    ]);
    assert.equal(told?.drift.find(({ what }) => what === 'access')?.access?.mode, '600');
    assert.equal(machine.read('etc/a b.conf'), 'by hand');

    edit(site.root, { 'overlays/nova/etc/a b.conf': 'new' });
    assert.equal((await sync(server)).changed, 1);
    assert.equal(machine.read('etc/a b.conf'), 'new');
    assert.equal(machine.read('etc/b\\c.conf'), 'by hand');
    assert.equal(server.news().at(-1)?.applied.drifted, 4);

    const restored = await sync(server, { what: 'restore' });
    assert.equal(restored.changed, 4);
    assert.equal(machine.read('etc/b\\c.conf'), 'b');
    assert.equal(statSync(join(machine.root, 'etc/mode')).mode & 0o777, 0o644);
    assert.equal(readlinkSync(join(machine.root, 'etc/link')), 'there');
    assert.equal(machine.read('root/hooks'), 'gone\ngone\n', 'once at boot, once when restored');
    assert.equal(server.news().at(-1)?.applied.drifted, 0);
  });

  test(`${flavour}: a hook that fails is reported once with what it printed, and tried again until it works`, async (t) => {
    const run = 'test -e /root/fine || { echo no such light; exit 9; }; echo ran >> /root/ran';
    const { machine, site, server } = await stage(t, flavour, {
      'overlays/nova/etc/a': 'a',
      'overlays/nova/overlay.yaml': `hooks: [{ run: '${run}' }]\n`,
    });
    writeFileSync(join(machine.root, 'root/fine'), '');
    assert.equal((await machine.start(KERNEL)).code, 0);
    await until(() => server.orders.isWaiting('node01'));
    rmSync(join(machine.root, 'root/fine'));
    edit(site.root, { 'overlays/nova/etc/a': 'a2' });
    for (const changed of [1, 0, 0]) {
      const result = await sync(server);
      assert.equal(result.result, 'failed');
      assert.equal(result.changed, changed);
      assert.match(result.detail ?? '', /^hook: test -e .* ended with exit code 9$/);
    }
    const failures = server.events().filter(({ code, status }) => code === 'hook' && status === 'failed');
    assert.equal(failures.length, 1);
    assert.equal(failures[0]?.output, 'no such light');
    assert.equal(machine.read('etc/a'), 'a2');
    writeFileSync(join(machine.root, 'root/fine'), '');
    assert.equal((await sync(server)).result, 'done');
    assert.equal(machine.read('root/ran'), 'ran\nran\n');
    assert.equal((await sync(server)).result, 'done');
    assert.equal(machine.read('root/ran'), 'ran\nran\n', 'once it worked it is done');
  });

  test(`${flavour}: cut off in the middle, whatever it was doing, the next run finishes it`, async (t) => {
    const many = Object.fromEntries(
      Array.from({ length: 60 }, (_, i) => [`overlays/nova/etc/many/${i}`, `first ${i}`]),
    );
    const { machine, site, server } = await stage(t, flavour, {
      ...many,
      'overlays/nova/overlay.yaml': "hooks: [{ run: 'echo hook >> /root/hooks' }]\n",
    });
    imageHas(machine, 'etc/many/7', 'of the image');
    assert.equal((await machine.start(KERNEL)).code, 0);
    for (const [round, pause] of [0, 130, 200, 300].entries()) {
      await until(() => server.orders.isWaiting('node01'));
      edit(site.root, Object.fromEntries(Object.keys(many).map((file) => [file, `round ${round}`])));
      edit(site.root, { 'overlays/nova/etc/many/7': round % 2 === 0 ? undefined : 'ours again' });
      edit(site.root, {
        [`overlays/nova/etc/short/${round - 1}`]: undefined,
        [`overlays/nova/etc/short/${round}`]: '',
      });
      const cut = sync(server, { patienceMs: 1000 });
      await until(() => readFileSync(join(machine.root, 'etc/many/1'), 'utf8') === `round ${round}`);
      await delay(pause);
      killAll();
      await cut;
      // An order that goes out before the server has heard of the end is lost with whom it was for; a last question of the
      // dead may still be on its way.
      await delay(500);
      await until(() => !server.orders.isWaiting('node01'));
      const hooks = machine.read('root/hooks');
      void machine.start(KERNEL, 'reveille-refresh');
      assert.equal((await sync(server, { wait: true })).result, 'done');
      for (const file of Object.keys(many).filter((name) => !name.endsWith('/7')))
        assert.equal(machine.read(file.replace('overlays/nova/', '')), `round ${round}`);
      assert.equal(machine.read('etc/many/7'), round % 2 === 0 ? 'of the image' : 'ours again');
      assert.deepEqual(leftBeside(machine.root), []);
      const after = machine.read('root/hooks');
      assert.ok(after.length > hooks.length || hooks.length > 5 * (round + 1), 'the hook ran for this round');
      assert.equal(server.news().at(-1)?.applied.drifted, 0);
    }
  });

  test(`${flavour}: a server that goes away and comes back is found again; the node asks by itself and at once when ordered to`, async (t) => {
    const { machine, site, server } = await stage(t, flavour, { 'overlays/nova/etc/a': '1' }, { refreshSeconds: 2 });
    assert.equal((await machine.start(KERNEL)).code, 0);
    edit(site.root, { 'overlays/nova/etc/a': '2' });
    await until(() => machine.read('etc/a') === '2');
    await server.close();
    edit(site.root, { 'overlays/nova/etc/a': '3' });
    await delay(3000);
    assert.equal(machine.read('etc/a'), '2');
    await server.listen(PORT);
    await until(() => machine.read('etc/a') === '3');
    // A template that does not render leaves the node as it is, and the words say where.
    edit(site.root, { 'overlays/nova/etc/b.j2': '{{ nothing }}' });
    await until(() => server.news().at(-1)?.applied.failed !== undefined);
    assert.equal(server.news().at(-1)?.applied.failed, 'bundle: overlays/nova/etc/b.j2:1:1: nothing has no value');
    assert.equal(server.events().filter(({ code, status }) => code === 'bundle' && status === 'failed').length, 1);
    edit(site.root, { 'overlays/nova/etc/b.j2': 'fine' });
    await until(() => existsSync(join(machine.root, 'etc/b')) && server.news().at(-1)?.applied.failed === undefined);
  });

  test(`${flavour}: tokens are replaced in the image's own files, to the letter`, async (t) => {
    let files: readonly BundleFile[] = [];
    const { machine, server } = await stage(t, flavour, {}, { bundle: () => makeBundle(files, []) });
    const replace = (path: string, tokens: Record<string, string>): BundleFile => ({
      ...{ path, mode: 0, owner: '', group: '', origin: 'profile compute' },
      replace: new Map(Object.entries(tokens)),
    });
    const hard = { 'X.*X': '$1\\n&/\\\\', '[a]': '', XX: 'two', XXX: 'XX three', "'": '"' };
    const text = "X.*X XXX XXXX [a]a XX'\n\nX..X é a=b -n\n%s %d\r\nlast XXX";
    imageHas(machine, 'etc/my conf', text, 0o640);
    imageHas(machine, 'etc/ended', 'XXX\n');
    imageHas(machine, 'etc/empty', '');
    files = [
      replace('/etc/my conf', hard),
      replace('/etc/ended', { XXX: 'a' }),
      replace('/etc/empty', { XXX: 'a' }),
      HOSTNAME,
    ];
    const { code, printed } = await machine.start(KERNEL);
    assert.equal(code, 0, printed);
    assert.equal(
      machine.read('etc/my conf'),
      '$1\\n&/\\\\ XX three XX threeX a two"\n\nX..X é a=b -n\n%s %d\r\nlast XX three',
    );
    assert.equal(statSync(join(machine.root, 'etc/my conf')).mode & 0o777, 0o640);
    assert.equal(machine.read('etc/ended'), 'a\n');
    assert.equal(machine.read('etc/empty'), '');
    await until(() => server.orders.isWaiting('node01'));

    files = [replace('/etc/my conf', { XXX: 'other' }), replace('/etc/none', { XXX: 'a' }), HOSTNAME];
    const result = await sync(server);
    assert.equal(result.result, 'failed');
    assert.equal(result.detail, 'files: /etc/none could not be written');
    assert.match(server.event('files', 'failed')?.output ?? '', /the image has no such file in which tokens/);
    assert.equal(machine.read('etc/my conf'), "X.*X other otherX [a]a XX'\n\nX..X é a=b -n\n%s %d\r\nlast other");
    assert.equal(machine.read('etc/ended'), 'XXX\n');
    files = [HOSTNAME];
    assert.equal((await sync(server)).result, 'done');
    assert.equal(machine.read('etc/my conf'), text);
  });

  test(`${flavour}: the name follows at once; settings.sh runs again only if it says so; units are read anew`, async (t) => {
    const { machine, site, server } = await stage(t, flavour, {
      'nodes/node01/hostname': 'node01\n',
      'nodes/node01/settings.sh': 'echo first >> /root/settings\n',
      'nodes/node01/files/etc/systemd/system/x.service': '[Unit]\n',
    });
    const systemd = flavour === 'busybox';
    if (systemd) fakeSystemd(machine);
    assert.equal((await machine.start(KERNEL)).code, 0);
    if (systemd) void machine.start(KERNEL, 'reveille-refresh');
    await until(() => server.orders.isWaiting('node01'));
    edit(site.root, {
      'nodes/node01/hostname': 'renamed\n',
      'nodes/node01/settings.sh': 'echo second >> /root/settings\n',
      'nodes/node01/files/etc/systemd/system/x.service': '[Service]\n',
    });
    assert.equal((await sync(server)).changed, 3);
    assert.equal(server.event('hostname', 'done')?.detail, 'node01');
    assert.equal(server.events().findLast(({ code }) => code === 'hostname')?.detail, 'renamed');
    assert.equal(machine.read('root/settings'), 'first\n');
    if (systemd) {
      const told = machine.read('root/systemctl').split('\n');
      assert.equal(told.filter((line) => line === 'daemon-reload').length, 2, 'at boot and now');
    }
    edit(site.root, { 'nodes/node01/settings.sh': '# reveille: run when changed\necho third >> /root/settings\n' });
    await sync(server);
    assert.equal(machine.read('root/settings'), 'first\nthird\n');
  });
}

const HOSTNAME: BundleFile = {
  ...{ path: '/etc/hostname', mode: 0o644, owner: 'root', group: 'root', origin: 'generated' },
  content: Buffer.from('node01\n'),
};

const DONE: SyncResult = { node: 'node01', result: 'done', changed: 0, removed: 0, ms: 0, detail: null };

type Server = Awaited<ReturnType<typeof stage>>['server'];

// Only where systemctl is ours: the wire's machines have no kernel of their own that could be rebooted.
test('an order to reboot is delivered, followed once, and nothing else is done until the machine is down', async (t) => {
  const { machine, server } = await stage(t, 'busybox', { 'overlays/nova/etc/a': 'a' });
  fakeSystemd(machine);
  assert.equal((await machine.start(KERNEL)).code, 0);
  void machine.start(KERNEL, 'reveille-refresh');
  await until(() => server.orders.isWaiting('node01'));
  const taken = await server.orders.give('node01', { id: 'r1', what: 'reboot' }, AbortSignal.timeout(5000));
  assert.equal(taken, true);
  await until(() => machine.read('root/systemctl').split('\n').includes('reboot'));
  const told = server.events().findLast(({ code }) => code === 'reboot');
  assert.deepEqual([told?.status, told?.during], ['started', 'refresh']);
  assert.equal(await server.orders.give('node01', { id: 'r2', what: 'reboot' }, AbortSignal.timeout(3000)), false);
  assert.equal(
    machine
      .read('root/systemctl')
      .split('\n')
      .filter((line) => line === 'reboot').length,
    1,
  );
});

async function sync(server: Server, options: Partial<SyncOptions> = {}): Promise<SyncResult> {
  const all = {
    what: 'apply',
    wait: false,
    patienceMs: 40_000,
    gone: new AbortController().signal,
    ...options,
  } as const;
  for await (const result of syncNodes(['node01'], all, server.orders, server.feed)) return result;
  throw new Error('no result');
}

/** Writes files of the site, or removes those that are `undefined`. */
function edit(root: string, files: Readonly<Record<string, string | undefined>>): void {
  for (const [name, content] of Object.entries(files)) {
    if (content === undefined) rmSync(join(root, name), { recursive: true, force: true });
    else {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), content);
    }
  }
}

function imageHas(machine: Rig, path: string, content: string, mode = 0o644): void {
  mkdirSync(dirname(join(machine.root, path)), { recursive: true });
  writeFileSync(join(machine.root, path), content, { mode });
}
