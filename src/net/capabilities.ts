import { execFileSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ReveilleError } from '../errors.ts';

/** The capabilities that Reveille knows by name, with the kernel's numbers (capabilities(7)). */
const NUMBERS = {
  CAP_SETGID: 6,
  CAP_SETUID: 7,
  CAP_SETPCAP: 8,
  CAP_NET_BIND_SERVICE: 10,
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
} as const;

export type CapabilityName = keyof typeof NUMBERS;

/**
 * What `reveille serve` needs: ports below 1024, and raw frames with probes. Binding a socket to an interface needs CAP_NET_RAW
 * only.
 */
export const SERVE_NEEDS: readonly CapabilityName[] = ['CAP_NET_BIND_SERVICE', 'CAP_NET_RAW'];

/** The capability sets of a process, as /proc shows them: one bit for each capability. */
export type CapabilitySets = {
  readonly inheritable: bigint;
  readonly permitted: bigint;
  readonly effective: bigint;
  readonly bounding: bigint;
  readonly ambient: bigint;
};

/** Reads the `Cap` lines of a /proc/PID/status; a line that is missing counts as empty. */
export function parseCapabilities(status: string): CapabilitySets {
  const set = (name: string): bigint =>
    BigInt(`0x${new RegExp(`^Cap${name}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0'}`);
  return {
    inheritable: set('Inh'),
    permitted: set('Prm'),
    effective: set('Eff'),
    bounding: set('Bnd'),
    ambient: set('Amb'),
  };
}

/** Those of `needed` that this process lacks. */
export function missingCapabilities(needed: readonly CapabilityName[]): CapabilityName[] {
  const { effective } = ownCapabilities();
  return needed.filter((name) => (effective & bitOf(name)) === 0n);
}

/** The user that the program becomes: a user name or number; its own group and supplementary groups come with it. */
export type DropOptions = { readonly user?: string };

/**
 * Drops every capability except `needed`, for all threads and for good. Node cannot do this for all threads from within, so the
 * program re-executes itself through setpriv, with the same process id; the caller does this before anything else. Returns at
 * once if the process has no more than `needed` already. Throws TOOL_MISSING without setpriv.
 */
export function dropTo(needed: readonly CapabilityName[], options: DropOptions = {}): void {
  if (!hasToDrop(needed, options)) return;
  if (hasDropped() || !process.execve)
    throw new ReveilleError('PRIVILEGE_MISSING', 'the program could not give up the privileges that it does not need', {
      hint: 'start it as an ordinary user with no more than the capabilities that it needs',
    });
  const setpriv = findProgram('setpriv');
  const canBound = (ownCapabilities().effective & bitOf('CAP_SETPCAP')) !== 0n;
  const command = [...setprivArguments(needed, canBound, options), '--', process.execPath];
  const program = [...process.execArgv, ...process.argv.slice(1)];
  process.execve(setpriv, ['setpriv', ...command, ...program], { ...process.env, [MARK]: String(process.pid) });
}

/** Whether `dropTo` would re-execute the program. */
export function hasToDrop(needed: readonly CapabilityName[], options: DropOptions = {}): boolean {
  return !holdsOnly(ownCapabilities(), needed) || (options.user !== undefined && !hasDropped());
}

/** The mark is the process id, which stays the same: a child that inherits the environment does not count as dropped. */
function hasDropped(): boolean {
  return process.env[MARK] === String(process.pid);
}

const MARK = 'REVEILLE_PRIVILEGES_DROPPED';

/** The number of a user's own group, from any user database that the system uses. */
function groupOf(user: string): string {
  try {
    return execFileSync('id', ['-g', '--', user], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch (cause) {
    throw new ReveilleError('PRIVILEGE_MISSING', `the program cannot become user ${user}: there is no such user`, {
      cause,
    });
  }
}

/** The arguments of setpriv. Shrinking the bounding set takes CAP_SETPCAP; without it that set stays. */
export function setprivArguments(
  needed: readonly CapabilityName[],
  canBound: boolean,
  { user }: DropOptions = {},
): string[] {
  const set = ['-all', ...needed.map((name) => `+${name.slice('CAP_'.length).toLowerCase()}`)].join(',');
  return [
    '--no-new-privs',
    ...(user === undefined ? [] : [`--reuid=${user}`, `--regid=${groupOf(user)}`, '--init-groups']),
    ...(canBound ? [`--bounding-set=${set}`] : []),
    `--inh-caps=${set}`,
    `--ambient-caps=${set}`,
  ];
}

/** Whether no set that a process can use holds more than `needed`. */
export function holdsOnly(sets: CapabilitySets, needed: readonly CapabilityName[]): boolean {
  const allowed = needed.reduce((bits, name) => bits | bitOf(name), 0n);
  return ((sets.effective | sets.permitted | sets.inheritable | sets.ambient) & ~allowed) === 0n;
}

function bitOf(name: CapabilityName): bigint {
  return 1n << BigInt(NUMBERS[name]);
}

function ownCapabilities(): CapabilitySets {
  return parseCapabilities(readFileSync('/proc/self/status', 'utf8'));
}

/** execve ends the process if it cannot start the program, so the program is searched for first. */
function findProgram(name: string): string {
  for (const folder of (process.env.PATH ?? '/usr/bin:/bin').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  throw new ReveilleError('TOOL_MISSING', `${name} is needed to give up privileges and is not installed`, {
    hint: 'install the package util-linux',
  });
}
