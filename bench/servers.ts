import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { cacheFolder } from './load.ts';
import { processorSeconds, residentBytes } from './proc.ts';
import { AMONG_CLIENTS, type Wire } from './wire.ts';

export const REVEILLE = join(import.meta.dirname, '../bin/reveille');

const run = promisify(execFile);

/** A server that runs as a process of its own, perhaps with children. It ends with the scope that holds it. */
export type Server = AsyncDisposable & {
  readonly name: string;
  /** Its address on its wire. */
  readonly address: string;
  /** Processor time of all its threads and children since it started, in seconds. */
  processorSeconds(): number;
  /** Memory of it and its children, each shared page counted once among those that share it. */
  residentBytes(): number;
};

/** A scratch folder that everybody may read, and that goes with the scope. */
export function scratchFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'reveille-bench-'));
  chmodSync(path, 0o755);
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

async function startServer(
  name: string,
  { enter }: Wire,
  address: string,
  command: readonly string[],
  isUp: () => Promise<boolean>,
  env: Record<string, string> = {},
): Promise<Server> {
  // `ip netns exec` becomes the program: it has the same process id.
  const [program = '', ...args] = [...enter, ...command];
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } });
  const stop = () => ended(child);
  for (let tries = 0; !(await isUp().catch(() => false)); tries++) {
    if (tries > 600 || child.exitCode !== null) {
      await stop();
      throw new Error(`${name} did not come up`);
    }
    await delay(50);
  }
  const pid = child.pid ?? 0;
  return {
    name,
    address,
    processorSeconds: () => processorSeconds(pid),
    residentBytes: () => residentBytes(pid),
    [Symbol.asyncDispose]: stop,
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const end = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await end;
  clearTimeout(late);
}

export type Reveille = Server & {
  readonly site: string;
  readonly state: string;
  /** Runs a command of the program on this site and state, and gives what it printed. */
  run(...args: readonly string[]): Promise<string>;
};

/** Starts `reveille serve` on a site folder that is there already; up is when it answers at its socket. */
export async function startReveille(
  wire: Wire,
  { site, state }: { readonly site: string; readonly state: string },
): Promise<Reveille> {
  mkdirSync(state, { recursive: true });
  const place = ['--site', site, '--state', state];
  const cli = async (...args: readonly string[]) =>
    (await run(REVEILLE, [...args, ...place], { maxBuffer: 1 << 28, env: { ...process.env, NO_COLOR: '1' } })).stdout;
  const server = await startServer(
    'Reveille',
    wire,
    wire.server,
    [REVEILLE, 'serve', ...place, '--keep-privileges'],
    async () => existsSync(join(state, 'reveille.sock')) && (await responds(wire.server, REVEILLE_HTTP)),
  );
  return { ...server, site, state, run: cli };
}

export const REVEILLE_HTTP = 8080;

/** A host that Kea knows: its MAC and the address that it is given. */
export type KeaHost = { readonly mac: string; readonly ip: string };
export type KeaOptions = {
  readonly pool: string;
  readonly hosts?: readonly KeaHost[];
  /** What firmware loads from which TFTP server, and what iPXE loads then. */
  readonly boot?: { readonly loader: string; readonly tftp: string; readonly script: string };
};

/** Kea with its threads on and leases in memfile on disk. */
export function startKea(wire: Wire, folder: string, { pool, hosts = [], boot }: KeaOptions): Promise<Server> {
  const config = join(folder, 'kea.json');
  const socket = join(folder, 'kea.sock');
  mkdirSync('/run/kea', { recursive: true });
  const classes = boot && [
    { name: 'ipxe', test: "option[77].hex == 'iPXE'", 'boot-file-name': boot.script },
    {
      name: 'firmware',
      test: "substring(option[60].hex,0,9) == 'PXEClient' and not member('ipxe')",
      'boot-file-name': boot.loader,
      'next-server': boot.tftp,
    },
  ];
  writeFileSync(
    config,
    JSON.stringify({
      Dhcp4: {
        'interfaces-config': {
          interfaces: [`${wire.interface}/${wire.server}`],
          'dhcp-socket-type': boot ? 'raw' : 'udp',
        },
        'lease-database': { type: 'memfile', persist: true, name: join(folder, 'leases.csv'), 'lfc-interval': 0 },
        'multi-threading': { 'enable-multi-threading': true, 'thread-pool-size': 2, 'packet-queue-size': 64 },
        'valid-lifetime': 3600,
        'control-socket': { 'socket-type': 'unix', 'socket-name': socket },
        ...(classes ? { 'client-classes': classes } : {}),
        subnet4: [
          {
            id: 1,
            subnet: `${wire.prefix}.0.0/16`,
            pools: [{ pool }],
            'option-data': [{ name: 'routers', data: wire.server }],
            reservations: hosts.map(({ mac, ip }) => ({ 'hw-address': mac, 'ip-address': ip })),
          },
        ],
        loggers: [{ name: 'kea-dhcp4', severity: 'ERROR', output_options: [{ output: join(folder, 'kea.log') }] }],
      },
    }),
  );
  return startServer(
    'Kea, threads, memfile',
    wire,
    wire.server,
    ['kea-dhcp4', '-c', config],
    async () => existsSync(socket),
    {
      KEA_PIDFILE_DIR: folder,
      KEA_LOCKFILE_DIR: 'none',
    },
  );
}

export const NGINX_HTTP = 8081;

/** nginx with sendfile and two workers, which serves `root`; `locations` goes into its server block. It waits for `/ready`. */
export function startNginx(wire: Wire, folder: string, root: string, locations = ''): Promise<Server> {
  const config = join(folder, 'nginx.conf');
  writeFileSync(join(root, 'ready'), '');
  writeFileSync(
    config,
    `daemon off; worker_processes 2; worker_rlimit_nofile 20000; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log; user root;
events { worker_connections 8192; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; open_file_cache max=100;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  server { listen ${wire.server}:${NGINX_HTTP} backlog=4096; root ${root}; ${locations} }
}\n`,
  );
  return startServer('nginx, sendfile, 2 workers', wire, wire.server, ['nginx', '-c', config], () =>
    responds(wire.server, NGINX_HTTP),
  );
}

/** Whether an HTTP server answers the clients at all. */
async function responds(address: string, port: number): Promise<boolean> {
  const [program, ...args] = AMONG_CLIENTS;
  await run(program, [...args, 'curl', '-s', '-m', '2', '-o', '/dev/null', `http://${address}:${port}/ready`]);
  return true;
}

/** The TFTP servers of Debian by name; each serves `root` at an address of its own on the peers' wire, which this adds. */
export const TFTP_PEERS = ['dnsmasq', 'tftpd-hpa', 'atftpd'] as const;
export type TftpPeer = (typeof TFTP_PEERS)[number];

export function startTftpPeer(wire: Wire, peer: TftpPeer, root: string): Promise<Server> {
  const address = `${wire.prefix}.0.${11 + TFTP_PEERS.indexOf(peer)}`;
  execFileSync('sh', ['-c', `${wire.enter.join(' ')} ip addr add ${address}/16 dev ${wire.interface}`]);
  writeFileSync(join(root, 'ready'), 'ready\n');
  const commands: Record<TftpPeer, readonly string[]> = {
    dnsmasq: [
      'dnsmasq',
      '--port=0',
      '--keep-in-foreground',
      '--conf-file=/dev/null',
      '--user=root',
      '--pid-file',
      '--log-facility=/dev/null',
      '--enable-tftp',
      `--tftp-root=${root}`,
      '--tftp-max=1000',
      `--listen-address=${address}`,
      '--bind-interfaces',
    ],
    'tftpd-hpa': ['in.tftpd', '-L', '--ipv4', '-u', 'root', '-a', `${address}:69`, '-s', root],
    atftpd: [
      atftpdProgram(),
      '--daemon',
      '--no-fork',
      '--user',
      'root.root',
      '--maxthread',
      '1000',
      '--verbose=1',
      '--logfile',
      '/dev/null',
      '--bind-address',
      address,
      root,
    ],
  };
  return startServer(peer, wire, address, commands[peer], async () => {
    const [program, ...args] = AMONG_CLIENTS;
    const { stdout } = await run(program, [...args, 'curl', '-s', '-m', '2', `tftp://${address}/ready`]);
    return stdout === 'ready\n';
  });
}

/** atftpd's package and tftpd-hpa's exclude each other: this one is unpacked into the cache instead of installed. */
function atftpdProgram(): string {
  const folder = join(cacheFolder(), 'bench/atftpd');
  const program = join(folder, 'usr/sbin/atftpd');
  if (!existsSync(program)) throw new Error('atftpd is missing: make setup-bench unpacks it');
  return program;
}
