import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Log, type LogSettings, type LossSink } from '../../src/log/log.ts';
import type { Event } from '../../src/model/event.ts';
import { ip } from '../../src/site/testing/fixture.ts';
import {
  addMachine,
  clientScript,
  layBridge,
  NODE_MAC,
  rackSite,
  requireTools,
  serve,
  sh,
  start,
  tidy,
  until,
} from './dhcp.rig.ts';

requireTools('rsyslogd', 'udhcpc', 'dhcpd', 'journalctl', '/lib/systemd/systemd-journald');

const folder = mkdtempSync(join(tmpdir(), 'reveille-log-'));
const socket = join(folder, 'log');
const written = join(folder, 'messages');
const messages = (): string => (existsSync(written) ? readFileSync(written, 'utf8') : '');
const LOCAL: LogSettings = { format: 'text', journald: false, syslog: { facility: 'local7' } };
const UNUSED = '/nonexistent';

before(layBridge);
const running = new Set<() => Promise<void>>();
afterEach(async () => {
  await tidy();
  for (const stop of running) await stop();
  rmSync(written, { force: true });
});
after(() => {
  sh('ip link del br0');
  rmSync(folder, { recursive: true });
});

function event(n: number): Event {
  return {
    at: Date.now(),
    kind: 'tftp.sent',
    ip: ip('10.0.0.51'),
    file: `file-${n}`,
    role: 'file',
    bytes: 1000,
    ms: 5,
  };
}

/** A daemon, once `ready`; stopped by what is returned. */
async function daemon(
  command: string,
  args: readonly string[],
  ready: () => boolean,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<() => Promise<void>> {
  const child: ChildProcess = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (said += text));
  const ended = once(child, 'exit');
  const stop = async (): Promise<void> => {
    running.delete(stop);
    child.kill(signal);
    await ended;
  };
  running.add(stop);
  await until(command, 15, ready, () => said);
  return stop;
}

async function startRsyslog(): Promise<() => Promise<void>> {
  const config = join(folder, 'rsyslog.conf');
  writeFileSync(
    config,
    `global(workDirectory="${folder}")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="${socket}" RateLimit.Interval="0")
module(load="imudp")
input(type="imudp" port="5514" address="127.0.0.1")
template(name="line" type="string" string="%syslogfacility-text%.%syslogseverity-text% %hostname% %syslogtag%%msg%\\n")
*.* action(type="omfile" file="${written}" template="line")
`,
  );
  // A receiver that was killed leaves its socket behind; datagrams to it are refused until the next one is there.
  rmSync(join(folder, 'pid'), { force: true });
  const stop = await daemon('rsyslogd', ['-n', '-f', config, '-i', join(folder, 'pid')], () =>
    existsSync(join(folder, 'pid')),
  );
  const log = new Log(LOCAL, () => {}, { syslog: socket, journald: UNUSED });
  try {
    await until('rsyslogd', 10, () => {
      log.write({ at: Date.now(), kind: 'server.started' });
      return messages().includes('server started');
    });
  } finally {
    log.close();
  }
  return stop;
}

/** One machine that asks, takes an address and gives it back. */
async function visit(script: string): Promise<void> {
  const client = start('node01', ...UDHCPC, '-s', script);
  await until('a lease', 20, () => /lease of 192\.168\.0\.111 obtained/.test(client.output()), client.output);
  await client.stop();
}
const UDHCPC = ['udhcpc', '-f', '-i', 'eth0', '-R', '-t', '5', '-T', '1', '-x', 'hostname:node01'];

describe('rsyslogd', () => {
  test('gets each exchange in the words that dhcpd has for it', async () => {
    const stop = await startRsyslog();
    addMachine('node01', '52:54:00:00:0a:01');
    const script = clientScript(join(folder, 'script'), join(folder, 'notes'));
    const { events, server } = await serve(rackSite());
    await visit(script);
    await until('release', 5, () => events.some(({ kind }) => kind === 'dhcp.release'));
    await server.close();
    const log = new Log(LOCAL, ({ cause }) => assert.fail(cause), { syslog: socket, journald: UNUSED });
    for (const happening of events) log.write({ ...happening, at: Date.now() } as Event);
    log.close();
    await until('the release', 5, () => messages().includes('DHCPRELEASE'), messages);
    const ours = messages()
      .split('\n')
      .filter((line) => line.includes('DHCP'));
    for (const line of ours) assert.match(line, /^local7\.info \S+ reveille\[\d+\]: DHCP/);

    const theirs = await linesOfDhcpd(script);
    // dhcpd names a machine from its first lease on, we already when it says its name.
    const said = ours.map((line) => line.replace(/^.*?: /, '').replace(/^(DHCPDISCOVER from \S+) \(node01\)/, '$1'));
    assert.deepEqual(said, theirs, 'the same exchange, line by line');
    await stop();
  });

  test('gets everything across a restart, and by a process without privileges', async () => {
    const stop = await startRsyslog();
    const lost: Parameters<LossSink>[0][] = [];
    const log = new Log(LOCAL, (loss) => lost.push(loss), { syslog: socket, journald: UNUSED });
    process.seteuid?.(65534);
    try {
      for (let n = 0; n < 500; n++) log.write(event(n));
    } finally {
      process.seteuid?.(0);
    }
    await until('500 lines', 10, () => messages().includes('file-499 '), messages);
    await stop();
    for (let n = 500; n < 520; n++) log.write(event(n));
    await sleep(100);
    const stopAgain = await startRsyslog();
    await until('the lines of meanwhile', 10, () => messages().includes('file-519 '), messages);
    log.close();
    for (let n = 0; n < 520; n++) assert.equal(messages().split(`file-${n} `).length, 2, `file-${n} once`);
    assert.deepEqual(lost, []);
    await stopAgain();
  });

  test('hears of what was lost while it was away for long', async () => {
    const lost: Parameters<LossSink>[0][] = [];
    const log = new Log(LOCAL, (loss) => lost.push(loss), { syslog: join(folder, 'none'), journald: UNUSED });
    for (let n = 0; n < 2500; n++) log.write(event(n));
    log.close();
    for (const { to, cause } of lost) assert.deepEqual([to, cause], [join(folder, 'none'), 'ENOENT']);
    assert.ok(lost.reduce((sum, { count }) => sum + count, 0) > 0);
  });

  test('on another machine gets RFC 5424, as JSON if set', async () => {
    const stop = await startRsyslog();
    const to = { ip: ip('127.0.0.1'), port: 5514 };
    const log = new Log({ ...LOCAL, format: 'json', syslog: { facility: 'daemon', to } }, ({ cause }) =>
      assert.fail(cause),
    );
    log.write(event(1));
    await until('the line', 5, () => messages().includes('file-1'), messages);
    const line = messages()
      .split('\n')
      .find((text) => text.includes('file-1'));
    const host = sh('hostname').trim();
    assert.ok(line?.startsWith(`daemon.info ${host} reveille[${process.pid}]`), messages());
    assert.deepEqual(Object.keys(JSON.parse(line?.slice(line.indexOf('{')) ?? '')), [
      'time',
      'kind',
      'ip',
      'file',
      'role',
      'bytes',
      'ms',
    ]);
    log.configure({ format: 'text', journald: false });
    log.write(event(2));
    await sleep(200);
    assert.doesNotMatch(messages(), /file-2/);
    log.close();
    await stop();
  });
});

/** What the real dhcpd says to the same machine. */
async function linesOfDhcpd(script: string): Promise<readonly string[]> {
  const config = join(folder, 'dhcpd.conf');
  const leases = join(folder, 'dhcpd.leases');
  writeFileSync(leases, '');
  writeFileSync(
    config,
    `authoritative;
shared-network wire {
  subnet 10.0.0.0 netmask 255.255.255.0 { server-identifier 10.0.0.2; }
  subnet 192.168.0.0 netmask 255.255.255.0 { server-identifier 192.168.0.2; range 192.168.0.111; }
}
`,
  );
  const args = ['-d', '-4', '-cf', config, '-lf', leases, '-pf', join(folder, 'dhcpd.pid'), 'br0'];
  const child = spawn('dhcpd', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text) => (said += text));
  await until(
    'dhcpd',
    15,
    () => said.includes('Server starting service'),
    () => said,
  );
  await visit(script);
  await until(
    'DHCPRELEASE',
    5,
    () => said.includes('DHCPRELEASE'),
    () => said,
  );
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  return said.split('\n').filter((line) => line.startsWith('DHCP'));
}

/** A /dev of its own, rsyslogd with its socket there, and the whole server, which gives its privileges up by itself. */
const IN_ITS_OWN_DEV = `set -e
mkdir "$1/dev"
mount -t tmpfs none "$1/dev"
for node in null zero random urandom; do : > "$1/dev/$node"; mount --bind "/dev/$node" "$1/dev/$node"; done
mount --rbind "$1/dev" /dev
rsyslogd -n -f "$1/rsyslog.conf" -i "$1/rsyslogd.pid" &
until [ -S /dev/log ]; do sleep 0.1; done
exec "$2" serve --site "$1/site" --state "$1/state" >/dev/null
`;

test('the server as it is started writes to /dev/log, where the site says so', async () => {
  const home = mkdtempSync(join(folder, 'home-'));
  mkdirSync(join(home, 'state'));
  mkdirSync(join(home, 'site'));
  const site = 'networks: { far: { subnet: 10.9.0.0/24 } }\nlog: { syslog: local3 }\n';
  writeFileSync(join(home, 'site/site.yaml'), site);
  const config = `module(load="imuxsock")\nglobal(workDirectory="${home}")\nlocal3.* ${home}/messages\n`;
  writeFileSync(join(home, 'rsyslog.conf'), config);
  const messages = (): string =>
    existsSync(join(home, 'messages')) ? readFileSync(join(home, 'messages'), 'utf8') : '';
  const reveille = join(import.meta.dirname, '../../bin/reveille');
  const args = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', IN_ITS_OWN_DEV, 'sh', home, reveille];
  // unshare takes no notice of SIGTERM, and all it started ends with it.
  const stop = await daemon('unshare', args, () => messages().includes('server started'), 'SIGKILL');
  assert.match(
    messages(),
    / reveille\[\d+\]: server started: far by relays, which has no address there yet; HTTP on port 8080$/m,
  );
  const before = messages();
  writeFileSync(join(home, 'site/site.yaml'), `${site}vars: { a: 1 }\n`);
  await until('the edit', 15, () => messages().slice(before.length).includes('site loaded: 1 network'), messages);
  await stop();
});

test('journald keeps each event with its fields', async () => {
  mkdirSync('/run/systemd/journal', { recursive: true });
  const stop = await daemon('/lib/systemd/systemd-journald', [], () => existsSync('/run/systemd/journal/socket'));
  const lost: Parameters<LossSink>[0][] = [];
  const log = new Log({ format: 'text', journald: true }, (loss) => lost.push(loss));
  const step: Event = {
    at: Date.now(),
    node: 'node01',
    kind: 'node.step',
    code: 'other',
    subject: 'x',
    status: 'failed',
    output: 'a\nb',
  };
  log.write({ ...event(1), node: 'node01', mac: NODE_MAC });
  log.write(step);
  for (let n = 2; n < 300; n++) log.write(event(n));
  const journal = (...match: string[]): Record<string, string>[] =>
    execFileSync('journalctl', [
      '--no-pager',
      '-o',
      'json',
      '-D',
      '/run/log/journal',
      'SYSLOG_IDENTIFIER=reveille',
      ...match,
    ])
      .toString()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  await until('all entries', 15, () => journal().length === 300);
  log.close();
  const [first, second] = journal('REVEILLE_NODE=node01');
  assert.equal(first?.MESSAGE, 'RRQ from 10.0.0.51 filename file-1 (1.0 kB in 5 ms)');
  assert.deepEqual(
    ['PRIORITY', 'REVEILLE_EVENT', 'REVEILLE_MAC', 'REVEILLE_IP', 'REVEILLE_FILE', 'REVEILLE_BYTES'].map(
      (key) => first?.[key],
    ),
    ['6', 'tftp.sent', NODE_MAC, '10.0.0.51', 'file-1', '1000'],
  );
  assert.deepEqual([second?.PRIORITY, second?.REVEILLE_OUTPUT, second?.REVEILLE_STATUS], ['3', 'a\nb', 'failed']);
  assert.deepEqual(lost, []);
  await stop();
});
