import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { requireTools, sh, until } from './dhcp.rig.ts';

/** The whole server, while the interfaces that its site names come and go. */

requireTools('udhcpc', 'curl');

const program = join(import.meta.dirname, '../../bin/reveille');
let folder: string;
let server: ChildProcess | undefined;
let output = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'reveille-interfaces-'));
  mkdirSync(join(folder, 'tftp'));
  writeFileSync(join(folder, 'tftp/greeting'), 'good morning\n');
  output = '';
});

afterEach(async () => {
  if (server && server.exitCode === null) {
    server.kill();
    await once(server, 'exit');
  }
  sh('ip netns del machine 2>/dev/null || true; ip link del to-machine 2>/dev/null || true');
  sh('for name in br0 wire0; do ip link del $name 2>/dev/null || true; done');
  rmSync(folder, { recursive: true });
});

/** A bridge of this name with these addresses and the machine on it. */
function layBridge(name = 'br0', addresses: readonly string[] = ['10.0.0.2/24']): void {
  sh(`ip link add ${name} type bridge`);
  for (const address of addresses) sh(`ip addr add ${address} dev ${name}`);
  sh(`ip link set ${name} up`);
  join_(name);
}

/** Connects the machine to a bridge. */
function join_(bridge: string): void {
  sh(`ip netns del machine 2>/dev/null || true; ip link del to-machine 2>/dev/null || true
    ip netns add machine
    ip link add to-machine type veth peer name eth0 netns machine
    ip -n machine link set eth0 address 52:54:00:00:00:51
    ip -n machine link set lo up; ip -n machine link set eth0 up
    ip link set to-machine master ${bridge} up`);
}

async function serve(network = ''): Promise<void> {
  writeFileSync(
    join(folder, 'site.yaml'),
    `site: t
dhcp: { probe: arp, probeTime: 200ms }
tftp: { root: tftp }
networks: { rack: { interface: br0, subnet: 10.0.0.0/24, ${network} pools: [{ range: 10.0.0.100-10.0.0.110, allow: any }] } }
nodes: { node01: { mac: "52:54:00:00:00:51", ip: 10.0.0.51 } }
`,
  );
  server = spawn(program, ['serve', '--site', folder, '--state', join(folder, 'state')], { stdio: 'pipe' });
  for (const stream of [server.stdout, server.stderr]) stream?.on('data', (text) => (output += text));
  await until(
    'start',
    30,
    () => output.includes('server started') || server?.exitCode !== null,
    () => output,
  );
  assert.match(output, /server started/);
}

const said = (words: RegExp): Promise<void> =>
  until(
    String(words),
    10,
    () => words.test(output),
    () => output,
  );

/** The machine is given the address of its node, fetches a file over TFTP, and asks HTTP. */
function boots(): void {
  assert.match(dhcp('52:54:00:00:00:51'), /10\.0\.0\.51/);
  // Strangers are probed for before.
  assert.match(dhcp('52:54:00:00:0a:01'), /10\.0\.0\.1\d\d/);
  sh('ip -n machine addr replace 10.0.0.51/24 dev eth0');
  const inside = 'ip netns exec machine curl -sS --max-time 10';
  assert.equal(sh(`${inside} tftp://10.0.0.2/greeting`), 'good morning\n');
  assert.equal(sh(`${inside} http://10.0.0.2:8080/boot/files/greeting`), 'good morning\n');
  sh('ip -n machine addr flush dev eth0');
}

/** What udhcpc is given. */
function dhcp(mac: string): string {
  sh(`ip -n machine link set eth0 down; ip -n machine link set eth0 address ${mac}; ip -n machine link set eth0 up`);
  return sh('ip netns exec machine udhcpc -i eth0 -f -q -n -t 8 -T 1 -s /bin/true 2>&1');
}

describe('an interface of the site', () => {
  test('that is not there at the start is waited for', async () => {
    await serve();
    await said(/network rack is not answered: there is no interface br0/);
    layBridge();
    await said(/network rack is answered again on br0 as 10\.0\.0\.2/);
    boots();
  });

  test('that is deleted and made anew is listened on again, several times', async () => {
    layBridge();
    await serve();
    boots();
    for (let n = 0; n < 3; n++) {
      output = '';
      sh('ip link del br0');
      if (n > 0) await said(/network rack is not answered: there is no interface br0/);
      layBridge();
      await said(/network rack is answered again on br0 as 10\.0\.0\.2/);
      boots();
    }
    assert.match(output, /not answered[\s\S]*answered again/, 'going is an event, too');
  });

  test('that is renamed is gone, and one that takes its name is there', async () => {
    layBridge();
    await serve();
    sh('ip link set br0 down; ip link set br0 name wire0; ip link set wire0 up');
    await said(/network rack is not answered: there is no interface br0/);
    sh('ip link set wire0 down; ip link set wire0 name br0; ip link set br0 up');
    await said(/network rack is answered again on br0/);
    boots();
    output = '';
    // Both at once: the name stays, and stands for another interface.
    sh('ip link add wire0 type bridge; ip link set br0 down; ip link set br0 name old0; ip link set wire0 name br0');
    sh('ip link del old0; ip addr add 10.0.0.2/24 dev br0; ip link set br0 up');
    join_('br0');
    await said(/not answered[\s\S]*answered again/);
    boots();
  });

  test('that goes down and up is heard as before', async () => {
    layBridge();
    await serve();
    sh('ip link set br0 down');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    sh('ip link set br0 up; ip addr replace 10.0.0.2/24 dev br0');
    boots();
  });

  test('that gets its address later, loses it and gets it again', async () => {
    layBridge('br0', []);
    await serve();
    await said(/network rack is not answered: br0 has no address for it/);
    sh('ip addr add 10.0.0.2/24 dev br0');
    await said(/network rack is answered again on br0 as 10\.0\.0\.2/);
    boots();
    output = '';
    sh('ip addr del 10.0.0.2/24 dev br0');
    await said(/network rack is not answered: br0 has no address for it/);
    sh('ip addr add 10.0.0.2/24 dev br0');
    await said(/network rack is answered again on br0 as 10\.0\.0\.2/);
    boots();
  });

  test('whose address, which the site names, moves away and comes back', async () => {
    layBridge('br0', []);
    await serve('server: 10.0.0.2,');
    await said(/network rack is not answered: no interface has the server's address 10\.0\.0\.2/);
    sh('ip addr add 10.0.0.2/24 dev br0');
    await said(/network rack is answered again on br0 as 10\.0\.0\.2/);
    await until('TFTP', 10, () => sh('ss -Hlun').includes('10.0.0.2:69'));
    boots();
    output = '';
    sh('ip addr del 10.0.0.2/24 dev br0');
    await said(/no interface has the server's address/);
    sh('ip addr add 10.0.0.2/24 dev br0');
    await said(/answered again/);
    boots();
  });

  test('whose port another program holds as it comes back is listened on when that ends', async () => {
    layBridge();
    await serve();
    sh('ip link add wire0 type bridge; ip link set wire0 up');
    const holder = spawn('python3', ['-c', HOLDER], { stdio: 'pipe' });
    await once(holder.stdout, 'data');
    sh('ip link del br0; ip link set wire0 down; ip link set wire0 name br0; ip link set br0 up');
    await said(/network rack is not answered: port 67 cannot be had on br0/);
    await said(/UDP port 67 on br0 is held by/);
    sh('ip addr add 10.0.0.2/24 dev br0');
    join_('br0');
    holder.kill();
    await once(holder, 'exit');
    await said(/network rack is answered again on br0/);
    boots();
  });
});

/** Takes port 67 on wire0. */
const HOLDER = `
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 25, b'wire0\\0')
s.bind(('', 67))
print('held', flush=True)
time.sleep(60)
`;
