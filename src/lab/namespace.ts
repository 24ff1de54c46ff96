import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { access, open, readFile } from 'node:fs/promises';
import { constants as os } from 'node:os';
import { ReveilleError } from '../errors.ts';

/**
 * New namespaces (network, mounts, processes; users too for an ordinary user). Their first process is a `cat` that reads from a
 * pipe whose other end is ours. However we end, the pipe closes, `cat` ends, and the kernel then kills every process inside.
 */
export type Namespace = {
  /** The pid, outside, of the first process inside. */
  readonly pid: number;
  /** Starts a program inside, as root of the namespaces. */
  spawn(command: readonly string[], options?: SpawnOptions): ChildProcess;
  /** Ends every process inside. */
  close(): Promise<void>;
};

/** Throws TOOL_MISSING, PRIVILEGE_MISSING or LAB_FAILED, each with a hint. */
export async function openNamespace(): Promise<Namespace> {
  await checkTun();
  const asUser = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const own = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const unshare = spawn('unshare', [...asUser, ...own, 'sh', '-c', 'ip link set lo up && echo ready && exec cat'], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  unshare.stdin.on('error', () => {});
  let words = '';
  unshare.stderr.setEncoding('utf8').on('data', (piece: string) => {
    words += piece;
  });
  await new Promise<void>((resolve, reject) => {
    unshare.stdout.once('data', () => resolve());
    unshare.once('error', (cause) => reject(missing('unshare', 'util-linux', cause)));
    unshare.once('close', () => reject(refused(words.trim())));
  });
  const pid = await onlyChild(unshare);
  const closed = once(unshare, 'close');
  closed.catch(() => {});
  return {
    pid,
    spawn: (command, options = {}) => spawn(...enter(pid, command), options),
    close: async () => {
      unshare.stdin.end();
      await closed;
    },
  };
}

/** The command line that runs `command` inside the namespaces of `pid`. */
export function enter(pid: number, command: readonly string[]): [string, string[]] {
  const user = process.getuid?.() === 0 ? [] : ['--user', '--preserve-credentials'];
  return [
    'nsenter',
    ['--target', `${pid}`, ...user, '--net', '--mount', '--root', '--pid', `--wd=${process.cwd()}`, '--', ...command],
  ];
}

/**
 * Sends a signal to a program started by `spawn`. nsenter is the parent of the program and passes no signal on, so the signal
 * goes to its only child.
 */
export async function signalInside(entered: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (entered.exitCode !== null || entered.signalCode !== null) return;
  const pid = await onlyChild(entered).catch(() => undefined);
  if (pid === undefined) return;
  try {
    process.kill(pid, os.signals[signal]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function onlyChild(parent: ChildProcess): Promise<number> {
  const children = await readFile(`/proc/${parent.pid}/task/${parent.pid}/children`, 'utf8');
  const pid = Number(children.trim().split(' ')[0]);
  if (pid > 0) return pid;
  throw new ReveilleError('LAB_FAILED', `process ${parent.pid} has no child`);
}

/** Taps are made through /dev/net/tun, which some machines open for root only. */
async function checkTun(): Promise<void> {
  const tun = '/dev/net/tun';
  try {
    await access(tun, constants.F_OK);
  } catch (cause) {
    throw new ReveilleError('LAB_FAILED', `${tun} is not there: the kernel has no taps to give`, {
      hint: 'As root: modprobe tun. In a container: start it with --device /dev/net/tun.',
      cause,
    });
  }
  try {
    await (await open(tun, 'r+')).close();
  } catch (cause) {
    throw new ReveilleError('PRIVILEGE_MISSING', `this user may not open ${tun}, which the lab's network cards need`, {
      hint: [
        `As root, for this user until the next restart: setfacl -m u:$USER:rw ${tun}`,
        `for all users, as Debian has it: chmod 0666 ${tun}`,
        'or run the lab as root.',
      ].join('\n'),
      cause,
    });
  }
}

function missing(tool: string, pkg: string, cause: Error): ReveilleError {
  return new ReveilleError('TOOL_MISSING', `${tool} cannot be started: ${cause.message}`, {
    hint: `Install it: apt-get install ${pkg}`,
    cause,
  });
}

function refused(words: string): ReveilleError {
  return new ReveilleError('LAB_FAILED', `no namespaces could be made: ${words || 'unshare ended at once'}`, {
    hint: 'An ordinary user needs user namespaces: sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000. In a container, the lab needs root and CAP_SYS_ADMIN.',
  });
}
