import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ip } from '../../src/site/testing/fixture.ts';
import { serviceTrouble } from '../../src/timeline/serviceTrouble.ts';
import { type Flavour, killAll, NOVA, runGenerator } from './agent.rig.ts';
import { fakeSystemd, KERNEL, leftBeside, PORT, scratch, service, slowService, stage, until } from './agent.stage.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0b4UZxXH8M0XqOaN5KSMhZ6T9H4qkkv2Dl9zXeTe5t';
const FLAVOURS: readonly Flavour[] = ['dash', 'busybox'];
const AGENT = join(import.meta.dirname, '../../src/node/agent');

test('the shell programs are clean', () => {
  const programs = [
    'reveille-agent',
    'reveille-refresh',
    'reveille-hold',
    'reveille-opened',
    'talk.sh',
    'hide.sh',
    'trouble.sh',
    'place.sh',
    'apply.sh',
    'services.sh',
  ];
  execFileSync('shellcheck', ['-s', 'sh', ...programs.map((name) => join(AGENT, name))], { stdio: 'inherit' });
});

test('a service that takes long tells what its log says, without passwords, and again when it is asked later', async (t) => {
  const { machine, server } = await stage(t, 'busybox', {});
  slowService(machine);
  const booted = machine.start(`${KERNEL} reveille.hold=slow-thing TFTP=10.0.0.2`);
  const still = () => server.events().find(({ detail }) => detail?.startsWith('still starting after'));
  await until(() => still() !== undefined);
  const told = still()?.output ?? '';
  assert.deepEqual(told.split('\n'), [
    'Starting slow-thing with rabbit://***@10.0.0.3:5672/',
    '2026-01-01 10:00:01.000 1 CRITICAL nova [-] Unhandled error: amqp.exceptions.AccessRefused',
    '2026-01-01 10:00:01.000 1 ERROR nova amqp.exceptions.AccessRefused: (0, 0): (403) ACCESS_REFUSED - Login was refused using authentication mechanism AMQPLAIN. For details see the broker logfile.',
  ]);
  assert.equal(serviceTrouble(told)?.what, 'queue-password');
  assert.equal(server.event('service slow-thing', 'done'), undefined);

  writeFileSync(join(machine.root, 'run/slow-is-up'), '');
  assert.equal((await booted).code, 0);
  assert.equal(server.event('service slow-thing', 'done')?.output, undefined);

  const running = machine.start(`${KERNEL} reveille.hold=slow-thing TFTP=10.0.0.2`, 'reveille-refresh');
  await until(() => server.orders.isWaiting('node01'));
  assert.ok(await server.orders.give('node01', { id: 'x', what: 'logs' }, AbortSignal.timeout(10_000)));
  const later = () => server.events().find(({ during }) => during === 'service');
  await until(() => later() !== undefined);
  assert.deepEqual(
    [later()?.code, later()?.subject, later()?.detail, later()?.output],
    ['service', 'slow-thing', 'active', told],
  );
  machine.stop();
  killAll();
  await running;
});

for (const flavour of FLAVOURS) {
  test(`${flavour}: the whole story, from kernel line to ready`, async (t) => {
    const { machine, site, server } = await stage(t, flavour, {
      'overlays/nova/etc/nova/nova.conf.j2':
        'my_ip = {{ facts.nics[0].ip }}\nboot = {{ (facts.nics | selectattr("boot") | first).name }}\n',
      'overlays/nova/overlay.yaml': '/etc/nova/nova.conf: { group: nova, mode: "0640" }\n',
      'overlays/nova/usr-local/odd name $(x) "y"': 'odd\n',
      'nodes/node01/settings.sh': `#!/bin/sh\nenv | sort > /root/env\npwd > /root/pwd\necho said from settings\nsleep 300 &\n`,
      'nodes/node01/files/root/.ssh/authorized_keys': 'ssh-rsa AAAAB3 first',
    });
    symlinkSync('../nova/nova.conf', join(site.root, 'overlays/nova/etc/link'));
    mkdirSync(join(machine.root, 'etc/target'));
    symlinkSync('target', join(machine.root, 'etc/link'));
    if (flavour === 'busybox') fakeSystemd(machine);
    else service(machine, 'nova-compute', 'echo started >> /root/services');

    const { code, printed } = await machine.start(`${KERNEL} sshpub=${KEY} reveille.hold=nova-compute TFTP=10.0.0.2`);
    assert.equal(code, 0, printed);

    assert.equal(machine.read('etc/nova/nova.conf'), 'my_ip = 10.0.0.51\nboot = eth0\n');
    const conf = statSync(join(machine.root, 'etc/nova/nova.conf'));
    assert.deepEqual([conf.mode & 0o7777, conf.uid, conf.gid], [0o640, 0, NOVA]);
    assert.equal(machine.read('usr-local/odd name $(x) "y"'), 'odd\n');
    assert.equal(readlinkSync(join(machine.root, 'etc/link')), '../nova/nova.conf');
    assert.deepEqual(readdirSync(join(machine.root, 'etc/target')), []);
    assert.equal(machine.read('etc/hostname'), 'node01\n');
    assert.match(machine.read('etc/hosts'), /10\.0\.0\.51\tnode01/);
    assert.equal(machine.read('root/.ssh/authorized_keys'), `ssh-rsa AAAAB3 first\n${KEY}\n`);
    assert.equal(statSync(join(machine.root, 'root/.ssh')).mode & 0o777, 0o700);
    assert.equal(statSync(join(machine.root, 'root/.ssh/authorized_keys')).mode & 0o777, 0o600);
    assert.equal(machine.read('root/pwd'), '/\n');
    const env = machine.read('root/env');
    for (const line of [
      'REVEILLE_NODE=node01',
      `REVEILLE_SERVER=http://10.0.0.2:${PORT}`,
      'REVEILLE_IP=10.0.0.51',
      'REVEILLE_BOOT_NIC=eth0',
      'HOME=/root',
    ]) {
      assert.ok(env.includes(`${line}\n`), `${line} in ${env}`);
    }
    assert.match(printed, /said from settings/);
    if (flavour === 'busybox') {
      assert.equal(
        machine.read('root/systemctl'),
        '--no-block start reveille-refresh.service\nstart nova-compute.service\n-q is-failed nova-compute.service\n',
      );
    } else {
      assert.equal(machine.read('root/services'), 'started\n');
    }
    assert.ok(existsSync(join(machine.root, 'run/reveille/released')));
    assert.match(machine.read('var/lib/reveille/applied'), /\t\/etc\/nova\/nova\.conf\n/);
    assert.deepEqual(leftBeside(machine.root), []);

    assert.deepEqual(server.steps(), [
      'agent started',
      'agent done',
      'network done',
      'inventory done',
      'bundle done',
      'files done',
      'hostname done',
      'sshpub done',
      'service nova-compute started',
      'service nova-compute done',
      'settings started',
      'settings done',
      'ready done',
    ]);
    assert.equal(server.inventory()?.nics[0]?.ip, ip('10.0.0.51'));
    const inventory = server.inventory();
    const nic = inventory?.nics.find((one) => one.boot);
    assert.equal(nic?.mac, '52:54:00:00:00:51');
    assert.equal(nic?.up, true);
    assert.ok((inventory?.cpu.count ?? 0) >= 1 && (inventory?.memoryKib ?? 0) > 100_000);
    assert.equal(inventory?.kernel, execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim());

    // A second run changes nothing that is right already.
    const again = await machine.start(`${KERNEL} "sshpub=${KEY}" TFTP=10.0.0.2`);
    assert.equal(again.code, 0, again.printed);
    assert.equal(machine.read('root/.ssh/authorized_keys'), `ssh-rsa AAAAB3 first\n${KEY}\n`);
  });

  test(`${flavour}: files from other systems do on the node what they say; a name that Linux would cut is refused`, async (t) => {
    const script = '\ufeffset -e\r\nfor one in a b; do\r\n  printf "%s." "$one"\r\ndone >/root/done\r\n';
    const { machine, server } = await stage(t, flavour, {
      'nodes/node01/settings.sh': script,
      'nodes/node01/hosts': '\ufeff10.0.0.9 controller\r\n10.0.0.51 node01',
      'nodes/node01/hostname': `${'n'.repeat(60)}.rack\r\n`,
    });
    const { code, printed } = await machine.start(`${KERNEL} TFTP=10.0.0.2`);
    assert.notEqual(code, 0, printed);
    assert.equal(machine.read('root/done'), 'a.b.');
    assert.equal(machine.read('etc/hosts'), '10.0.0.9 controller\n10.0.0.51 node01\n');
    assert.match(server.event('hostname', 'failed')?.detail ?? '', /has 65 characters, and Linux keeps 64/);
    assert.ok(server.event('settings', 'done'));
  });

  test(`${flavour}: a settings.sh that fails is reported with its code and the end of its output; the node is not ready`, async (t) => {
    const { machine, server } = await stage(t, flavour, {
      'nodes/node01/settings.sh':
        'i=0\nwhile [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done\necho broken >&2\nexit 7\n',
    });
    const { code, printed } = await machine.start(KERNEL);
    assert.equal(code, 3, printed);
    const failed = server.event('settings', 'failed');
    assert.match(failed?.detail ?? '', /exit code 7/);
    assert.match(failed?.output ?? '', /line 1999\nbroken$/);
    assert.ok((failed?.output?.length ?? 0) <= 4096 && (failed?.output?.length ?? 0) > 3000);
    assert.equal(server.event('ready', 'done'), undefined);
    assert.equal(server.event('ready', 'failed')?.detail, '1 of the steps failed');
  });

  test(`${flavour}: a service that does not start is reported, the rest is done, the node is not ready`, async (t) => {
    const { machine, server } = await stage(t, flavour, { 'nodes/node01/settings.sh': 'touch /root/ran\n' });
    if (flavour === 'busybox') fakeSystemd(machine);
    else service(machine, 'bad', 'echo no such thing; exit 1');
    const { code } = await machine.start(`${KERNEL} reveille.hold=bad,;rm,../x TFTP=10.0.0.2`);
    assert.equal(code, 3);
    assert.match(
      server.event('service bad', 'failed')?.output ?? '',
      flavour === 'busybox' ? /status of bad/ : /no such thing/,
    );
    assert.ok(existsSync(join(machine.root, 'root/ran')));
  });

  test(`${flavour}: a cut connection and a wrong checksum lay nothing; the third try does`, async (t) => {
    const { machine, server } = await stage(
      t,
      flavour,
      { 'nodes/node01/files/etc/big': 'x'.repeat(300_000) },
      { listen: false },
    );
    await server.listen(PORT + 1);
    const proxy = await spoilingProxy(
      t,
      PORT + 1,
      (path) => existsSync(join(machine.root, 'etc/big')) && !path.includes('report'),
    );
    const { code, printed } = await machine.start(KERNEL);
    assert.equal(code, 0, printed);
    assert.equal(proxy.bundles(), 3);
    assert.equal(proxy.early(), false, 'something was laid before the checksum held');
    assert.equal(machine.read('etc/big').length, 300_000);
    const retries = server.events().filter((event) => event.code === 'bundle' && event.detail?.includes('checksum'));
    assert.equal(retries.length, 1);
    assert.ok(server.event('ready', 'done'));
  });

  test(`${flavour}: a server that is not there yet, and goes away meanwhile, is waited for; reports come in order`, async (t) => {
    const { machine, server } = await stage(
      t,
      flavour,
      { 'nodes/node01/settings.sh': 'sleep 4; echo over\n' },
      { listen: false },
    );
    const ended = machine.start(KERNEL);
    await delay(2500);
    await server.listen(PORT);
    await until(() => server.event('settings', 'started') !== undefined);
    await server.close();
    await delay(5000);
    assert.equal(server.event('ready', 'done'), undefined);
    await server.listen(PORT);
    const { code, printed } = await ended;
    assert.equal(code, 0, printed);
    const steps = server.steps();
    assert.deepEqual(steps.slice(-3), ['settings started', 'settings done', 'ready done']);
    assert.equal(new Set(steps).size, steps.length, `a report came twice: ${steps}`);
    const took = server.event('settings', 'done')?.ms ?? 0;
    assert.ok(took >= 3900 && took < 8000, `${took} ms`);
  });

  test(`${flavour}: a file that cannot be written is reported; once the site is corrected the node goes on`, async (t) => {
    const { machine, site, server } = await stage(t, flavour, {
      'overlays/nova/etc/a': 'a',
      'overlays/nova/overlay.yaml': '/etc/a: { group: nosuch }\n',
    });
    const ended = machine.start(KERNEL);
    await until(() => server.event('files', 'failed') !== undefined);
    assert.match(server.event('files', 'failed')?.output ?? '', /nosuch/);
    assert.equal(existsSync(join(machine.root, 'etc/a')), false);
    assert.deepEqual(leftBeside(machine.root), []);
    writeFileSync(join(site.root, 'overlays/nova/overlay.yaml'), '/etc/a: { group: nova }\n');
    assert.equal((await ended).code, 0);
    assert.equal(machine.read('etc/a'), 'a');
  });

  test(`${flavour}: a broken template keeps the node waiting with the place of the error, reported once`, async (t) => {
    const { machine, site, server } = await stage(t, flavour, { 'overlays/nova/etc/a.j2': 'x\n{{ vars.nothing }}' });
    const ended = machine.start(KERNEL);
    await until(() => server.event('bundle', 'failed') !== undefined);
    assert.equal(server.event('bundle', 'failed')?.detail, 'overlays/nova/etc/a.j2:2:1: vars.nothing has no value');
    await delay(4000);
    assert.equal(server.events().filter((event) => event.status === 'failed').length, 1);
    writeFileSync(join(site.root, 'overlays/nova/etc/a.j2'), 'fine');
    assert.equal((await ended).code, 0);
  });

  test(`${flavour}: a kernel line with a broken key is reported and does no harm`, async (t) => {
    const { machine, server } = await stage(t, flavour, {});
    const { code } = await machine.start(`${KERNEL} sshpub=ssh-dss AAAA;reboot`);
    assert.equal(code, 3);
    assert.ok(server.event('sshpub', 'failed'));
    assert.equal(existsSync(join(machine.root, 'root/.ssh/authorized_keys')), false);
  });

  test(`${flavour}: without an address it asks by DHCP on the boot card only; TFTP= alone names the server`, async (t) => {
    const { machine, server } = await stage(t, flavour, {}, { address: false });
    execFileSync('ip', ['-n', 'node', 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'far1']);
    // busybox's server: dnsmasq will not run where there is but one user.
    const leases = join(scratch, `leases-${flavour}`);
    writeFileSync(leases, '');
    writeFileSync(
      `${leases}.conf`,
      `interface srv0\nstart 10.0.0.51\nend 10.0.0.51\nlease_file ${leases}\npidfile ${leases}.pid\noption subnet 255.255.255.0\noption router 10.0.0.1\n`,
    );
    const dhcp = spawn('busybox', ['udhcpd', '-f', `${leases}.conf`], { stdio: 'ignore' });
    t.after(() => dhcp.kill('SIGKILL'));
    const { code, printed } = await machine.start('BOOTIF=01-52-54-00-00-00-51 TFTP=10.0.0.2');
    assert.equal(code, 0, printed);
    const addresses = execFileSync('ip', ['-n', 'node', '-4', '-o', 'addr'], { encoding: 'utf8' });
    assert.match(addresses, /eth0\s+inet 10\.0\.0\.51\/24/);
    assert.doesNotMatch(addresses, /eth1/);
    assert.match(execFileSync('ip', ['-n', 'node', 'route'], { encoding: 'utf8' }), /default via 10\.0\.0\.1 dev eth0/);
    assert.ok(server.event('ready', 'done'));
    killAll();
  });

  test(`${flavour}: held services are skipped until they are released, and only well-formed names are taken`, () => {
    const shell = flavour === 'dash' ? ['dash'] : ['busybox', 'sh'];
    const out = runGenerator(
      join(scratch, `hold-${flavour}`),
      shell,
      'quiet reveille.hold=libvirtd,nova-compute,tap@1.socket,../../x,a;b,,*, TFTP=10.0.0.2',
    );
    assert.deepEqual(readdirSync(out).sort(), ['libvirtd.service.d', 'nova-compute.service.d', 'tap@1.socket.d']);
    assert.equal(
      readFileSync(join(out, 'libvirtd.service.d/10-reveille-hold.conf'), 'utf8'),
      '[Unit]\nConditionPathExists=/run/reveille/released\n',
    );
    assert.equal(existsSync(runGenerator(join(scratch, `free-${flavour}`), shell, 'quiet')), false);
  });
}

test('a kernel line that names no server leaves the machine alone', async (t) => {
  const { machine, server } = await stage(t, 'dash', {});
  assert.equal((await machine.start('quiet root=/dev/vda')).code, 0);
  assert.deepEqual(server.events(), []);
});

test('a machine cannot speak for another', async (t) => {
  const { machine, server } = await stage(t, 'dash', {});
  const ended = machine.start(KERNEL.replace('00-51', '00-99'));
  t.after(() => machine.stop());
  await delay(3000);
  assert.deepEqual(server.events(), []);
  const url = `http://10.0.0.2:${PORT}/node/v1/bundle?mac=52:54:00:00:00:51`;
  const answer = await fetch(url);
  assert.equal(answer.status, 403);
  assert.match(await answer.text(), /^\{"code":"IDENTITY_REFUSED","message":"10\.0\.0\.2 asks in the name of node01/);
  machine.stop();
  await ended;
});

/** Stands before the server: cuts the first bundle in the middle and changes a byte of the second. */
async function spoilingProxy(t: { after(end: () => unknown): void }, behind: number, laid: (path: string) => boolean) {
  let bundles = 0;
  let early = false;
  const proxy = createServer((asked, answer) => {
    const path = asked.url ?? '';
    if (bundles < 3) early ||= laid(path);
    const on = request(
      { host: '10.0.0.2', port: behind, path, method: asked.method, headers: asked.headers },
      (got) => {
        const pieces: Buffer[] = [];
        got.on('data', (piece) => pieces.push(piece));
        got.on('end', () => {
          const body = Buffer.concat(pieces);
          if (path.includes('/bundle')) bundles++;
          const spoilt =
            path.includes('/bundle') && bundles === 2
              ? Buffer.from(body.map((byte, at) => (at === 5000 ? byte ^ 1 : byte)))
              : body;
          answer.writeHead(got.statusCode ?? 500, got.headers);
          if (path.includes('/bundle') && bundles === 1) {
            answer.write(body.subarray(0, body.length / 2), () => answer.destroy());
          } else answer.end(spoilt);
        });
      },
    );
    // The node still waits for orders when the test ends.
    on.on('error', () => answer.destroy());
    asked.pipe(on);
  });
  await new Promise<void>((resolve) => proxy.listen(PORT, '10.0.0.2', resolve));
  assert.equal((proxy.address() as AddressInfo).port, PORT);
  t.after(() => proxy.close());
  return { bundles: () => bundles, early: () => early };
}
