import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openRack } from '../../src/lab/open.ts';
import { oneMachineRack } from './oneMachine.ts';

const REPOSITORY = join(import.meta.dirname, '../..');

describe('a rack of one machine without a server', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'reveille-rack-'));
    await chmod(folder, 0o777);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  for (const model of ['virtio-net-pci', 'e1000'] as const) {
    test(`its ${model} card asks for an address on the bridge, and learns that there is no IPv6; reset and power do what they say`, async () => {
      const rack = await openRack(oneMachineRack(1, model), { folder });
      try {
        const seen = rack.exec(['tcpdump', '-lnec1', '-ibr0', 'udp dst port 67'], { timeoutMs: 60_000 });
        const router = ['tcpdump', '-lnvvc1', '-ibr0', 'icmp6 and ip6[40] = 134'];
        const advertised = rack.exec(router, { timeoutMs: 60_000 });
        await rack.boot('alone');
        assert.match((await seen).stdout, /52:54:00:00:0a:00 > ff:ff:ff:ff:ff:ff.*BOOTP\/DHCP, Request/);
        const { stdout } = await advertised;
        assert.match(stdout, /hlim 255.*\[icmp6 sum ok\] ICMP6, router advertisement/);
        assert.match(stdout, /Flags \[none\].*router lifetime 0s/);
        assert.equal(rack.isOn('alone'), true);
        await assert.rejects(rack.boot('alone'), { code: 'LAB_FAILED', message: /on already/ });

        await rack.reset('alone');
        await rack.waitForConsole('alone', /SeaBIOS[\s\S]*iPXE/, 60_000);
        await rack.powerOff('alone');
        assert.equal(rack.isOn('alone'), false);
        await assert.rejects(rack.reset('alone'), { code: 'LAB_FAILED', message: /switched off/ });
        await assert.rejects(rack.waitForConsole('alone', /never written/, 60_000), /switched off/);
        await assert.rejects(rack.boot('nobody'), { code: 'NODE_UNKNOWN' });
      } finally {
        await rack.close();
      }
    });
  }

  test('a program inside sees only the rack, and ends with it', async () => {
    const rack = await openRack(oneMachineRack(6), { folder, accelerator: 'tcg' });
    const mark = `${1_000_000 + process.pid}`;
    try {
      const links = await rack.exec(['ip', '-o', 'link']);
      assert.deepEqual(
        [...links.stdout.matchAll(/^\d+: ([^:@]+)/gm)].map((match) => match[1]),
        ['lo', 'br0', 'tap0n0', 'tap0n1', 'tap0n2', 'tap0n3', 'tap0n4', 'tap0n5'],
      );
      assert.equal((await rack.exec(['sh', '-c', 'cat; echo told >&2; exit 7'], { input: 'fed' })).code, 7);
      rack.spawn(['sleep', mark], { stdio: 'ignore' });
      await until('sleep runs', async () => (await runningWith(mark)).length > 0);
    } finally {
      await rack.close();
    }
    assert.deepEqual(await runningWith(mark), []);
  });

  test('a rack that cannot be cabled says why and leaves nothing', async () => {
    const rack = oneMachineRack();
    const bridges = [{ name: 'a-name-that-is-far-too-long', addresses: [] }];
    await assert.rejects(openRack({ ...rack, bridges }, { folder, accelerator: 'tcg' }), { code: 'LAB_FAILED' });
  });

  test('nothing outlives a parent that is killed', async () => {
    const parent = spawn(process.execPath, [join(import.meta.dirname, 'oneMachine.ts'), folder]);
    assert.match(await firstLine(parent), /^up /);
    const mark = join(folder, 'alone.console');
    assert.notDeepEqual(await runningWith(mark), []);
    parent.kill('SIGKILL');
    await until('QEMU is gone', async () => (await runningWith(mark)).length === 0);
  });

  test('an ordinary user who may open /dev/net/tun has a rack too', async () => {
    const parent = spawn(...asOrdinaryUser('666', folder));
    try {
      assert.match(await firstLine(parent), /^up /);
    } finally {
      parent.kill('SIGKILL');
      const mark = join(folder, 'alone.console');
      await until('QEMU is gone', async () => (await runningWith(mark)).length === 0);
    }
  });

  test('a user who may not gets a hint', { skip: onlyForRoot() }, async () => {
    const refused = JSON.parse(await firstLine(spawn(...asOrdinaryUser('600', folder))));
    assert.equal(refused.code, 'PRIVILEGE_MISSING');
    assert.match(refused.message, /\/dev\/net\/tun/);
    assert.match(refused.hint, /chmod 0666/);
  });
});

/**
 * Sets up the rack as somebody without any rights, for whom /dev/net/tun has the given mode. Whoever is not root is such
 * a user, whatever the mode.
 */
function asOrdinaryUser(tunMode: string, folder: string): [string, string[]] {
  if (onlyForRoot()) return [process.execPath, [join(import.meta.dirname, 'oneMachine.ts'), folder]];
  // The repository is shown elsewhere, as it may lie in a home that only root may enter.
  const script = `set -e
    mount -t tmpfs -o mode=755 tmpfs /dev/net && mknod -m ${tunMode} /dev/net/tun c 10 200
    mount -t tmpfs -o mode=755 tmpfs /mnt && mkdir /mnt/r && mount --bind "$1" /mnt/r && cd /mnt/r
    rm -f "$2"/alone.*
    exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --pdeathsig KILL \
      node_modules/.bin/node test/lab/oneMachine.ts "$2"`;
  return ['setpriv', ['--pdeathsig', 'KILL', 'unshare', '--mount', 'sh', '-c', script, 'sh', REPOSITORY, folder]];
}

function onlyForRoot(): string | false {
  return process.getuid?.() === 0 ? false : 'needs root, to take a right away from somebody';
}

/** The processes whose command line holds `mark`. */
async function runningWith(mark: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== `${process.pid}`);
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.filter((line) => line.includes(mark));
}

async function firstLine(child: ChildProcess): Promise<string> {
  let words = '';
  let trouble = '';
  child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
    trouble += piece;
  });
  child.stdout?.setEncoding('utf8').on('data', (piece: string) => {
    words += piece;
    if (words.includes('\n')) child.emit('line');
  });
  await Promise.race([once(child, 'line'), once(child, 'close')]);
  return words.split('\n')[0] || trouble;
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 10_000; !(await isSo()); await sleep(50)) {
    assert.ok(Date.now() < deadline, `not so within 10 s: ${what}`);
  }
}
