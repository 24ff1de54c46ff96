import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Accelerator, findAccelerator } from '../accelerator.ts';
import { ReveilleError } from '../errors.ts';
import { formatIpv4 } from '../model/ipv4.ts';
import { fillFlash } from './flash.ts';
import { type Namespace, openNamespace, signalInside } from './namespace.ts';
import { consoleFile, qemuCommand, tapName } from './qemu.ts';
import { type Monitor, openMonitor } from './qmp.ts';
import type { LabMachine, Rack } from './rack.ts';

/** What a program inside the rack printed, and its exit code. */
export type ExitStatus = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** A server that runs inside the rack. */
export type LabServer = {
  /** Everything it printed. */
  readonly log: string;
  /** Sends a signal and waits until the server has ended. */
  stop(signal?: NodeJS.Signals): Promise<void>;
};

/** A running rack: its namespace, bridges and cables, and its machines, off at first. */
export type OpenRack = {
  readonly rack: Rack;
  readonly accelerator: Accelerator;
  /** The first process of the namespaces: for nsenter. */
  readonly pid: number;
  /** Runs a program inside to its end. */
  exec(
    command: readonly string[],
    options?: { readonly input?: string; readonly timeoutMs?: number },
  ): Promise<ExitStatus>;
  /** Starts a program inside and leaves it running until it ends or the rack closes. */
  spawn(command: readonly string[], options?: SpawnOptions): ChildProcess;
  /** Starts `reveille serve` inside and waits until it answers on its Unix socket. */
  startServer(folders: { readonly site: string; readonly state: string }): Promise<LabServer>;
  /** Switches a machine on. Its console file starts empty. */
  boot(name: string): Promise<void>;
  /** Presses its reset button. */
  reset(name: string): Promise<void>;
  /** Cuts its power; no effect on a machine that is off. */
  powerOff(name: string): Promise<void>;
  isOn(name: string): boolean;
  /** The file that holds what the machine wrote to its serial console since it was switched on. */
  console(name: string): string;
  /** Waits until the console's text since the last power-on or reset matches. Throws LAB_FAILED with the console's end. */
  waitForConsole(name: string, pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray>;
  /** Ends every machine and program inside. */
  close(): Promise<void>;
};

export type OpenOptions = {
  /** Where consoles and logs are kept; made if it is missing. */
  readonly folder: string;
  /** Absent: found out by a test. */
  readonly accelerator?: Accelerator;
};

/** Sets the rack up, with its machines off. Throws LAB_FAILED, PRIVILEGE_MISSING or TOOL_MISSING. */
export async function openRack(rack: Rack, options: OpenOptions): Promise<OpenRack> {
  const { folder } = options;
  await mkdir(folder, { recursive: true });
  await fillFlash(rack, folder);
  const [namespace, accelerator] = await Promise.all([openNamespace(), options.accelerator ?? findAccelerator()]);
  const running = new Map<string, Power>();

  const machine = (name: string): { machine: LabMachine; index: number } => {
    const index = rack.machines.findIndex((candidate) => candidate.name === name);
    const found = rack.machines[index];
    if (found) return { machine: found, index };
    throw new ReveilleError('NODE_UNKNOWN', `the rack has no machine ${name}`, {
      hint: `It has ${rack.machines.map((one) => one.name).join(', ')}.`,
    });
  };
  const power = (name: string): Power => {
    machine(name);
    const found = running.get(name);
    if (found) return found;
    throw new ReveilleError('LAB_FAILED', `${name} is switched off`, {
      hint: `Switch it on: reveille lab boot ${name}`,
    });
  };

  const exec: OpenRack['exec'] = async (command, { input = '', timeoutMs } = {}) => {
    const child = namespace.spawn(command, { stdio: ['pipe', 'pipe', 'pipe'] });
    const patience =
      timeoutMs === undefined ? undefined : setTimeout(() => void signalInside(child, 'SIGKILL'), timeoutMs);
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    clearTimeout(patience);
    return { code: child.exitCode, stdout, stderr };
  };

  const opened: OpenRack = {
    rack,
    accelerator,
    pid: namespace.pid,
    exec,
    spawn: namespace.spawn,

    startServer: async ({ site, state }) => {
      const log = join(folder, 'server.log');
      const command = [SERVER, 'serve', '--site', site, '--state', state];
      const server = withFile(log, 'a', (fd) => namespace.spawn(command, { stdio: ['ignore', fd, fd] }));
      const ended = once(server, 'close');
      const socket = join(state, 'reveille.sock');
      for (const deadline = Date.now() + SERVER_PATIENCE_MS; !(await answers(socket)); await sleep(100)) {
        if (server.exitCode === null && server.signalCode === null && Date.now() < deadline) continue;
        await signalInside(server, 'SIGKILL');
        throw new ReveilleError('LAB_FAILED', `the server did not start:\n${await tail(log)}`);
      }
      return {
        log,
        stop: async (signal = 'SIGTERM') => {
          await signalInside(server, signal);
          await ended;
        },
      };
    },

    boot: async (name) => {
      const { machine: one, index } = machine(name);
      if (running.has(name)) {
        throw new ReveilleError('LAB_FAILED', `${name} is on already`, {
          hint: `Reset it: reveille lab boot --reset ${name}`,
        });
      }
      await rm(consoleFile(folder, name), { force: true });
      const words = join(folder, `${name}.qemu.log`);
      const [program = '', ...args] = qemuCommand(one, index, accelerator, folder);
      const qemu = withFile(words, 'w', (fd) => namespace.spawn([program, ...args], { stdio: ['pipe', 'pipe', fd] }));
      if (!qemu.stdin || !qemu.stdout) throw new Error('QEMU was started without pipes');
      const off = once(qemu, 'close').then(() => void running.delete(name));
      const started: Power = { monitor: openMonitor(qemu.stdin, qemu.stdout), off, consoleFrom: 0 };
      running.set(name, started);
      await started.monitor.ready.catch(async () => {
        await off;
        throw new ReveilleError('LAB_FAILED', `QEMU did not start for ${name}: ${await tail(words)}`);
      });
    },

    reset: async (name) => {
      const on = power(name);
      on.consoleFrom = (await stat(consoleFile(folder, name))).size;
      await on.monitor.run('system_reset');
    },

    powerOff: async (name) => {
      machine(name);
      const on = running.get(name);
      if (!on) return;
      // QEMU may end before its answer comes.
      await on.monitor.run('quit').catch(() => {});
      await on.off;
    },

    isOn: (name) => running.has(machine(name).machine.name),
    console: (name) => consoleFile(folder, machine(name).machine.name),

    waitForConsole: async (name, pattern, timeoutMs) => {
      const file = consoleFile(folder, machine(name).machine.name);
      for (const deadline = Date.now() + timeoutMs; ; await sleep(200)) {
        const found = pattern.exec(await readFrom(file, running.get(name)?.consoleFrom ?? 0));
        if (found) return found;
        const why = !running.has(name)
          ? 'was switched off'
          : Date.now() > deadline
            ? `took over ${timeoutMs} ms`
            : undefined;
        if (why === undefined) continue;
        throw new ReveilleError(
          'LAB_FAILED',
          `${name} ${why}, and its console never showed ${pattern}:\n${await tail(file)}`,
        );
      }
    },

    close: async () => {
      await namespace.close();
      await Promise.all([...running.values()].map((on) => on.off));
    },
  };

  try {
    await layCables(rack, exec);
    startRouter(rack, namespace);
    return opened;
  } catch (error) {
    await opened.close();
    throw error;
  }
}

const ROUTER = join(import.meta.dirname, 'router.ts');
const SERVER = join(import.meta.dirname, '../../bin/reveille');
const SERVER_PATIENCE_MS = 30_000;

type Power = { readonly monitor: Monitor; readonly off: Promise<void>; consoleFrom: number };

/** Bridges with the server's addresses, and a tap on its bridge for each card. */
async function layCables(rack: Rack, exec: OpenRack['exec']): Promise<void> {
  const lines: string[] = [];
  for (const { name, addresses } of rack.bridges) {
    // Without a forward delay of 0 a new port would drop frames for 30 s.
    lines.push(`link add ${name} type bridge stp_state 0 forward_delay 0`);
    for (const { ip, prefix } of addresses) lines.push(`addr add ${formatIpv4(ip)}/${prefix} brd + dev ${name}`);
    lines.push(`link set ${name} up`);
  }
  rack.machines.forEach((machine, m) => {
    machine.nics.forEach((nic, n) => {
      lines.push(`tuntap add ${tapName(m, n)} mode tap`, `link set ${tapName(m, n)} master ${nic.bridge} up`);
    });
  });
  const made = await exec(['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
  if (made.code !== 0)
    throw new ReveilleError('LAB_FAILED', `the rack's cables could not be laid: ${made.stderr.trim()}`);
}

/** The IPv6 router of every bridge. Without it boots are only slower, so the set-up does not wait for it. */
function startRouter(rack: Rack, namespace: Namespace): void {
  const bridges = rack.bridges.map(({ name }) => name);
  namespace.spawn([process.execPath, ROUTER, ...bridges], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Whether a server answers at `socket`. */
function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    request({ socketPath: socket, path: '/api/v1/status' }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    })
      .on('error', () => resolve(false))
      .end();
  });
}

function withFile<T>(path: string, flags: string, use: (fd: number) => T): T {
  const fd = openSync(path, flags);
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

async function text(stream: NodeJS.ReadableStream | null): Promise<string> {
  let all = '';
  for await (const piece of stream?.setEncoding('utf8') ?? []) all += piece;
  return all;
}

async function readFrom(file: string, offset: number): Promise<string> {
  const handle = await open(file).catch(() => undefined);
  if (!handle) return '';
  try {
    const { size } = await handle.stat();
    const bytes = Buffer.alloc(Math.max(0, size - offset));
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, offset);
    return bytes.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** The last lines of a console or log, without terminal control sequences. */
export async function tail(file: string, lines = 15): Promise<string> {
  const all = await readFile(file, 'utf8').catch(() => '');
  return plain(all).trimEnd().split('\n').slice(-lines).join('\n') || `(${file} is empty)`;
}

/** Text without a terminal's control sequences. */
export function plain(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control sequences are what this removes
      .replace(/\u001b(\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(\u0007|\u001b\\)|[()][0-9A-B]|[=>c78])/g, '')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: as above
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '')
  );
}
