import { readFileSync, statSync } from 'node:fs';
import { type Lock, tryLock } from '../../lock.ts';
import { StateTaken } from '../failure.ts';
import { keepPrivate } from './privateFile.ts';

/**
 * Makes sure that one program alone writes to a state folder. It is a lock of the kernel, held through SQLite on a file
 * of its own so that readers are not kept out; it ends with the process, however that ends. Throws STATE_UNAVAILABLE,
 * naming who holds it.
 */
export function lockAsSoleWriter(file: string): Lock {
  keepPrivate(file);
  const lock = tryLock(file);
  if (lock) return lock;
  const pid = lockHolder(file);
  throw new StateTaken(
    `another reveille${pid === undefined ? '' : ` (pid ${pid})`} is serving from this state folder`,
    'stop it first, or give this one another folder with --state',
  );
}

/** The process that holds a lock on `file`, as the kernel lists it: its lines read `1: POSIX ADVISORY WRITE 612 fe:01:4711 0 EOF`. */
function lockHolder(file: string): number | undefined {
  const { ino } = statSync(file);
  for (const line of readFileSync('/proc/locks', 'utf8').split('\n')) {
    const [, kind, , , pid, place = ''] = line.split(/\s+/);
    if (kind === 'POSIX' && place.endsWith(`:${ino}`) && Number(pid) > 0) return Number(pid);
  }
  return undefined;
}
