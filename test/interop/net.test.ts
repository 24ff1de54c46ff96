import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ReveilleError } from '../../src/errors.ts';
import { formatIpv4, type Ipv4, parseIpv4 } from '../../src/model/ipv4.ts';
import { type Mac, parseMac } from '../../src/model/mac.ts';
import { interfaceAddresses } from '../../src/net/interfaces.ts';
import { portHolder } from '../../src/net/portHolder.ts';
import { openProber, type Prober } from '../../src/net/probe.ts';
import { openRawSender } from '../../src/net/raw.ts';
import { UdpReceiver } from '../../src/net/receiver.ts';
import { advertiseNoRouters } from '../../src/net/routerAdvertisement.ts';
import { openUdp } from '../../src/net/udp.ts';

if (process.env.REVEILLE_ISOLATED !== '1') throw new Error('run this through test/isolated');

const udpModule = fileURLToPath(new URL('../../src/net/udp.ts', import.meta.url));
const sh = (line: string): string => execFileSync('sh', ['-ec', line], { encoding: 'utf8' });
const ip = (text: string): Ipv4 => parseIpv4(text) ?? assert.fail(`not an address: ${text}`);
const mac = (text: string): Mac => parseMac(text) ?? assert.fail(`not an Ethernet address: ${text}`);
const openDescriptors = (): number => readdirSync('/proc/self/fd').length;
/** A fault in a test's own callback fails it. */
const rethrown = (error: unknown): never => {
  throw error;
};
const codeOf = (code: string) => (error: unknown) => error instanceof ReveilleError && error.code === code;

/** Two wires: left0 to the namespace `left`, whose end has 10.0.1.9, and right0 to `right`, whose end has no address. */
before(() => {
  sh(`
    for side in left right; do
      ip netns add $side
      ip link add "$side"0 type veth peer name peer netns $side
      ip link set "$side"0 up
      ip -n $side link set lo up
      ip -n $side link set peer up
    done
    ip -n left link set peer address 52:54:00:00:00:09
    ip -n right link set peer address 52:54:00:00:00:51
    ip addr add 10.0.1.2/24 dev left0
    ip addr add 10.0.2.2/24 dev right0
    ip addr add 192.168.7.2/28 dev right0
    ip -n left addr add 10.0.1.9/24 dev peer
    ip link add bare0 type bridge
    ip link set bare0 up
    ip addr add 10.0.3.2/16 dev bare0`);
});

after(() => sh('ip netns del left; ip netns del right; ip link del bare0'));

/** Broadcasts one datagram from the far end of a wire. */
function broadcastFrom(namespace: string, port: number, text: string): void {
  const code = `
    const { openUdp } = await import(${JSON.stringify(udpModule)});
    const socket = await openUdp({ interface: 'peer', port: 0, broadcast: true });
    socket.send(${JSON.stringify(text)}, ${port}, '255.255.255.255', () => socket.close());`;
  sh(`ip -n ${namespace} route replace default dev peer`);
  execFileSync('ip', ['netns', 'exec', namespace, process.execPath, '--input-type=module', '-e', code]);
}

/** Starts a program and waits until it has printed `sign`; `output` is all that it prints. */
async function startAndAwait(command: string[], sign: string): Promise<{ child: ChildProcess; output(): string }> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  const listen = async (stream: NodeJS.ReadableStream): Promise<void> => {
    for await (const chunk of stream) text += chunk;
  };
  void listen(child.stdout);
  void listen(child.stderr);
  for (let i = 0; i < 200 && !text.includes(sign); i++) {
    if (child.exitCode !== null) break;
    await sleep(25);
  }
  assert(text.includes(sign), `${command.join(' ')} printed: ${text}`);
  return { child, output: () => text };
}

test('every interface is listed with its addresses, one without carrier too', () => {
  const interfaces = interfaceAddresses();
  assert.deepEqual(
    interfaces.get('right0')?.map(({ ip, prefix }) => [ip, prefix]),
    [
      [ip('10.0.2.2'), 24],
      [ip('192.168.7.2'), 28],
    ],
  );
  const [bare] = interfaces.get('bare0') ?? [];
  assert.equal(bare?.prefix, 16);
  assert.equal(bare?.mac, sh('cat /proc/net/dev >/dev/null; ip -br link show bare0').trim().split(/\s+/)[2]);
  assert(interfaces.has('lo'));
});

describe('a UDP socket', () => {
  test('tied to an interface hears the broadcasts of that interface alone', async () => {
    const heard: string[] = [];
    const sockets = await Promise.all(
      ['left0', 'right0'].map(async (name) => {
        const socket = await openUdp({ interface: name, port: 6767, broadcast: true });
        socket.on('message', (bytes) => heard.push(`${name} ${bytes}`));
        return socket;
      }),
    );
    broadcastFrom('left', 6767, 'from the left');
    broadcastFrom('right', 6767, 'from the right');
    for (let i = 0; i < 100 && heard.length < 2; i++) await sleep(20);
    await sleep(100);
    for (const socket of sockets) socket.close();
    assert.deepEqual(heard.sort(), ['left0 from the left', 'right0 from the right']);
  });

  test('on a port in use names the holder, even one that would share it, and leaves no descriptor', async () => {
    const dnsmasq = ['dnsmasq', '--no-daemon', '--conf-file=/dev/null', '--port=0', '--interface=left0', '--user=root'];
    const { child } = await startAndAwait(
      [...dnsmasq, '--dhcp-range=10.0.1.100,10.0.1.110', '--dhcp-leasefile=/run/dnsmasq.leases'],
      'DHCP, IP range',
    );
    const before = openDescriptors();
    await assert.rejects(openUdp({ interface: 'left0', port: 67 }), (error: ReveilleError) => {
      assert.equal(error.code, 'PORT_IN_USE');
      assert.match(error.message, new RegExp(`UDP port 67 on left0 is held by dnsmasq \\(pid ${child.pid}\\)`));
      return true;
    });
    assert.equal(openDescriptors(), before);
    child.kill();
    await once(child, 'exit');
  });

  test('is not joined by a second one, not even by a program that asks to share', async () => {
    const first = await openUdp({ interface: 'left0', port: 6868 });
    await assert.rejects(openUdp({ interface: 'left0', port: 6868 }), codeOf('PORT_IN_USE'));
    await assert.rejects(openUdp({ port: 6868 }), codeOf('PORT_IN_USE'));
    const { createSocket } = await import('node:dgram');
    const sharing = createSocket({ type: 'udp4', reuseAddr: true });
    sharing.bind(6868);
    const [error] = await once(sharing, 'error');
    assert.equal(error.code, 'EADDRINUSE');
    sharing.close();
    first.close();
    const again = await openUdp({ interface: 'left0', port: 6868 });
    again.close();
  });

  test('says which interfaces and addresses there are where the asked one is missing', async () => {
    const before = openDescriptors();
    await assert.rejects(openUdp({ interface: 'br9', port: 6767 }), (error: ReveilleError) => {
      assert.equal(error.code, 'INTERFACE_MISSING');
      assert.match(error.message, /br9/);
      assert.match(error.hint ?? '', /left0/);
      return true;
    });
    await assert.rejects(openUdp({ address: ip('10.9.9.9'), port: 6767 }), codeOf('INTERFACE_MISSING'));
    assert.equal(openDescriptors(), before);
  });
});

describe('a receiver', () => {
  const open = (received: (bytes: Buffer, from: { ip: Ipv4; port: number }) => void, faulted = rethrown) =>
    new UdpReceiver({ interface: 'left0', port: 6969, buffer: 1 << 20, longest: 600, received, faulted });

  test('hands on each datagram with its sender, cut off beyond the longest, and leaves no descriptor', async () => {
    const before = openDescriptors();
    const heard: [number, string, number][] = [];
    const receiver = open((bytes, from) => heard.push([bytes.length, formatIpv4(from.ip), bytes[0] ?? -1]));
    assert.throws(() => open(() => {}), codeOf('PORT_IN_USE'));
    for (const text of ['one', 'x'.repeat(600), 'y'.repeat(1400)]) broadcastFrom('left', 6969, text);
    for (let i = 0; i < 100 && heard.length < 3; i++) await sleep(20);
    receiver.close();
    receiver.close();
    assert.deepEqual(heard, [
      [3, '10.0.1.9', 'o'.charCodeAt(0)],
      [600, '10.0.1.9', 'x'.charCodeAt(0)],
      [601, '10.0.1.9', 'y'.charCodeAt(0)],
    ]);
    await sleep(10);
    assert(openDescriptors() <= before);
  });

  test('goes on after an exception in what it hands to, while its interface is down, and stops when it is to', async () => {
    const faults: unknown[] = [];
    let heard = 0;
    const receiver = open(
      () => {
        heard++;
        throw new Error('a mistake');
      },
      (error) => faults.push(error) as never,
    );
    broadcastFrom('left', 6969, 'first');
    sh('ip link set left0 down; sleep 0.1; ip link set left0 up');
    await sleep(100);
    broadcastFrom('left', 6969, 'second');
    for (let i = 0; i < 100 && heard < 2; i++) await sleep(20);
    assert.equal(faults.length, 2);
    receiver.stop();
    broadcastFrom('left', 6969, 'third');
    await sleep(100);
    assert.equal(heard, 2);
    receiver.close();
  });
});

describe('a watch over a descriptor', () => {
  /** Asks by ARP for an address of this end of the left wire: `left0` receives it. */
  const arp = (): string => sh('ip netns exec left arping -c 1 -w 1 -I peer 10.0.1.2');

  test('runs what promises wait for, outlives the collection of what nothing refers to and an interface that goes down', async () => {
    const source = (file: string): string =>
      JSON.stringify(fileURLToPath(new URL(`../../src/net/${file}`, import.meta.url)));
    const code = `
      const { receive, watchReadable, ETH_P_ARP } = await import(${source('libc.ts')});
      const { openListening } = await import(${source('raw.ts')});
      const { fd } = openListening('left0', ETH_P_ARP);
      const packet = new Uint8Array(2048);
      const heard = () => { if (receive(fd, packet) >= 0) Promise.resolve().then(() => console.log('heard')).then(heard); };
      watchReadable(fd, heard);
      setTimeout(() => { gc(); console.log('collected'); }, 50);`;
    const { child, output } = await startAndAwait(
      [process.execPath, '--expose-gc', '--input-type=module', '-e', code],
      'collected',
    );
    const hears = async (what: string): Promise<void> => {
      const before = output().split('heard').length;
      arp();
      for (let i = 0; i < 50 && output().split('heard').length === before; i++) await sleep(20);
      assert(output().split('heard').length > before, what);
    };
    await hears('after the collection');
    sh('ip link set left0 down; sleep 0.1; ip link set left0 up');
    await sleep(300);
    await hears('after the interface came back');
    child.kill();
    await once(child, 'exit');
  });
});

test('a TCP port tells its listener too', async () => {
  const { createServer } = await import('node:net');
  const server = createServer().listen(8081, '127.0.0.1');
  await once(server, 'listening');
  assert.match(portHolder('tcp', 8081) ?? '', new RegExp(`\\(pid ${process.pid}\\)`));
  server.close();
  assert.equal(portHolder('tcp', 8082), undefined);
});

describe('a raw sender', () => {
  const from = { ip: ip('10.0.2.2'), port: 67 };
  const to = { mac: mac('52:54:00:00:00:51'), ip: ip('10.0.2.51'), port: 68 };

  test('reaches a machine that has no address, with checksums that tshark finds good', async () => {
    const fields = ['eth.dst', 'ip.src', 'ip.dst', 'udp.srcport', 'udp.dstport'];
    const shown = [...fields, 'ip.checksum.status', 'udp.checksum.status', 'udp.payload'].flatMap((name) => [
      '-e',
      name,
    ]);
    const checks = ['-o', 'ip.check_checksum:TRUE', '-o', 'udp.check_checksum:TRUE'];
    const { child, output } = await startAndAwait(
      [
        'ip',
        'netns',
        'exec',
        'right',
        'tshark',
        '-i',
        'peer',
        '-l',
        '-f',
        'udp port 68',
        ...checks,
        '-T',
        'fields',
        ...shown,
      ],
      'Capturing on',
    );
    const sender = openRawSender('right0');
    // It says that it captures a moment before it does.
    const payload = Buffer.from('an offer');
    const line = `52:54:00:00:00:51\t10.0.2.2\t10.0.2.51\t67\t68\t1\t1\t${payload.toString('hex')}\n`;
    for (let i = 0; i < 100 && !output().includes('52:54:00:00:00:51'); i++) {
      sender.send(to, from, payload);
      await sleep(50);
    }
    child.kill();
    await once(child, 'exit');
    assert(output().includes(line), output());
    assert.equal(sender.dropped, 0);
    sender.close();
  });

  test('drops and counts what does not fit or has nowhere to go, and goes on when the interface is back', () => {
    const before = openDescriptors();
    const sender = openRawSender('right0');
    assert.equal(sender.send(to, from, new Uint8Array(100_000)), 'EMSGSIZE');
    assert.equal(sender.send({ ...to, port: 0 }, from, new Uint8Array(300)), 'EINVAL');
    assert.equal(sender.dropped, 2);
    sh('ip link set right0 down');
    assert.equal(sender.send(to, from, new Uint8Array(300)), 'ENETDOWN');
    assert.equal(sender.dropped, 3);
    sh('ip link set right0 up');
    assert.equal(sender.send(to, from, new Uint8Array(300)), undefined);
    assert.equal(sender.dropped, 3);
    sender.close();
    assert.equal(sender.send(to, from, new Uint8Array(300)), 'EINVAL');
    assert.equal(sender.dropped, 4);
    assert.equal(openDescriptors(), before);
  });

  test('follows an interface that was made anew', () => {
    sh('ip link add again0 type bridge; ip link set again0 up');
    const sender = openRawSender('again0');
    sh('ip link del again0');
    sender.send(to, from, new Uint8Array(300));
    assert.equal(sender.dropped, 1);
    sh('ip link add again0 type bridge; ip link set again0 up');
    sender.send(to, from, new Uint8Array(300));
    assert.equal(sender.dropped, 1);
    sender.close();
    sh('ip link del again0');
  });

  test('names a missing interface', () => {
    assert.throws(() => openRawSender('br9'), codeOf('INTERFACE_MISSING'));
  });
});

const inUse = (prober: Prober, address: Ipv4, waitMs: number, own: readonly Mac[] = []): Promise<boolean> =>
  prober.inUse({ ip: address, from: ip('10.0.1.2'), waitMs, own });

for (const method of ['arp', 'icmp'] as const) {
  describe(`an ${method} probe`, () => {
    test('does not count what the machine answers for which the address is meant', async () => {
      const prober = openProber('left0', method, rethrown);
      const [own, other] = [mac('52:54:00:00:00:09'), mac('52:54:00:00:00:51')];
      const answers = [[own], [other, own], [other]].map((macs) => inUse(prober, ip('10.0.1.9'), 500, macs));
      assert.deepEqual(await Promise.all(answers), [false, false, true]);
      assert.equal(await inUse(prober, ip('10.0.1.9'), 500, [other]), true);
      prober.close();
    });

    test('finds the address that a machine has and not the one that none has', async () => {
      const before = openDescriptors();
      const prober = openProber('left0', method, rethrown);
      const started = performance.now();
      assert.equal(await inUse(prober, ip('10.0.1.9'), 1000), true);
      assert(performance.now() - started < 500, 'a taken address is told at once');
      assert.equal(await inUse(prober, ip('10.0.1.10'), 300), false);
      prober.close();
      // The event loop gives its own descriptor back a turn later.
      await sleep(10);
      assert(openDescriptors() <= before + 1);
    });

    test('asks for many addresses at once, and for one address only once', async () => {
      const prober = openProber('left0', method, rethrown);
      const asked = Array.from({ length: 200 }, (_, i) => ip(`10.0.1.${i + 3}`));
      const answers = await Promise.all(
        [...asked, ip('10.0.1.9')].map(async (address) => [address, await inUse(prober, address, 500)] as const),
      );
      const taken = answers.filter(([, inUse]) => inUse).map(([address]) => address);
      assert.deepEqual(taken, [ip('10.0.1.9'), ip('10.0.1.9')]);
      prober.close();
    });

    test('lives through an interface that goes down and comes back', async () => {
      const prober = openProber('left0', method, rethrown);
      const open = inUse(prober, ip('10.0.1.11'), 300);
      sh('ip link set left0 down');
      assert.equal(await open, false);
      assert.equal(await inUse(prober, ip('10.0.1.9'), 100), false);
      sh('ip link set left0 up');
      await sleep(50);
      assert.equal(await inUse(prober, ip('10.0.1.9'), 2000), true);
      prober.close();
    });

    test('closed while asking says no', async () => {
      const prober = openProber('left0', method, rethrown);
      const open = inUse(prober, ip('10.0.1.12'), 60_000);
      prober.close();
      assert.equal(await open, false);
      assert.equal(await inUse(prober, ip('10.0.1.9'), 60_000), false);
    });

    test('names a missing interface', () => {
      assert.throws(() => openProber('br9', method, rethrown), codeOf('INTERFACE_MISSING'));
    });
  });
}

/** Asks for routers on `peer` of the namespace `left` until one answers, for five seconds at most. */
const ASKING = `
import socket, struct, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x86dd))
s.bind(('peer', 0)); s.settimeout(0.2)
ask = bytes([0x60, 0, 0, 0, 0, 8, 58, 255]) + bytes(15) + b'\\1' + bytes.fromhex('ff02') + bytes(13) + b'\\2' + bytes([133, 0, 0, 0, 0, 0, 0, 0])
end = time.time() + 5
while time.time() < end:
    try:
        s.sendto(ask, ('peer', 0x86dd, 0, 0, bytes.fromhex('333300000002')))
        p = s.recv(2048)
        if p[6] == 58 and p[40] == 134: print('answered'); break
    except (TimeoutError, OSError): pass
`;

test('what says that there is no router does so again on an interface that was made anew', async () => {
  const ask = async (): Promise<string> => {
    const { stdout } = await promisify(execFile)('ip', ['netns', 'exec', 'left', 'python3', '-c', ASKING]);
    return stdout;
  };
  const advertiser = advertiseNoRouters(['left0', 'br9'], rethrown);
  assert.equal(await ask(), 'answered\n');
  sh(`ip link del left0
    ip link add left0 type veth peer name peer netns left
    ip addr add 10.0.1.2/24 dev left0; ip link set left0 up
    ip -n left link set peer address 52:54:00:00:00:09 up
    ip -n left addr add 10.0.1.9/24 dev peer`);
  assert.equal(await ask(), 'answered\n');
  advertiser.close();
});

test('an arp probe leaves no entry in the neighbour table of the machine that it asks', async () => {
  sh('ip -n left neigh flush dev peer');
  const prober = openProber('left0', 'arp', rethrown);
  assert.equal(await inUse(prober, ip('10.0.1.9'), 1000), true);
  prober.close();
  assert.doesNotMatch(sh('ip -n left neigh show dev peer'), /10\.0\.1\.2/);
});
