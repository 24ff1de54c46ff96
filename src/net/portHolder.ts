import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * The program that holds a port of this network namespace, for a message: `dnsmasq (pid 612)`. A program that this process may
 * not inspect is described by its user id. `undefined` if the port is free. For TCP only listening sockets count.
 */
export function portHolder(protocol: 'udp' | 'tcp', port: number): string | undefined {
  const sockets = [...readTable(`/proc/net/${protocol}`), ...readTable(`/proc/net/${protocol}6`)].filter(
    (socket) => socket.port === port && (protocol === 'udp' || socket.state === TCP_LISTEN),
  );
  if (sockets.length === 0) return undefined;
  const holders = processesHolding(new Set(sockets.map((socket) => `socket:[${socket.inode}]`)));
  if (holders.length > 0) return holders.join(', ');
  return `a program of user id ${sockets[0]?.uid} that this user may not look into`;
}

type TableRow = { readonly port: number; readonly state: string; readonly uid: string; readonly inode: string };

const TCP_LISTEN = '0A';

/** The rows of /proc/net/udp and its kin: local address at column 1, state at 3, user at 7, inode at 9. */
export function parseSocketTable(text: string): TableRow[] {
  const rows: TableRow[] = [];
  for (const line of text.split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/);
    const [, local = '', , state = '', , , , uid = '', , inode] = columns;
    if (inode === undefined) continue;
    rows.push({ port: Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16), state, uid, inode });
  }
  return rows;
}

function readTable(path: string): TableRow[] {
  return unlessRefused(() => parseSocketTable(readFileSync(path, 'utf8'))) ?? [];
}

function processesHolding(sockets: ReadonlySet<string>): string[] {
  const holders: string[] = [];
  for (const pid of unlessRefused(() => readdirSync('/proc')) ?? []) {
    if (!/^\d+$/.test(pid) || !holdsAny(pid, sockets)) continue;
    const name = unlessRefused(() => readFileSync(`/proc/${pid}/comm`, 'utf8').trim()) ?? 'a program';
    holders.push(`${name} (pid ${pid})`);
  }
  return holders;
}

function holdsAny(pid: string, sockets: ReadonlySet<string>): boolean {
  const descriptors = unlessRefused(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
  return descriptors.some((fd) => sockets.has(unlessRefused(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? ''));
}

/**
 * Not errors here: a process or descriptor that vanishes meanwhile, one that this process may not inspect, and a lack of
 * descriptors.
 */
function unlessRefused<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
