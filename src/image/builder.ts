import { readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { ReveilleError } from '../errors.ts';

/** What makes the user of the service, with all that a build needs. */
const MAKES_USER = 'packaging/service-user, run as root, makes a user that has all of it';
/** As many ids as files of a root may belong to. */
const IDS = 65536;

/** The user that a build runs as. */
export type Builder = { readonly name: string; readonly uid: number };

export function thisUser(): Builder {
  try {
    const { username: name, uid } = userInfo();
    return { name, uid };
  } catch {
    // Containers run programs as users that /etc/passwd does not know.
    const uid = process.getuid?.() ?? -1;
    return { name: String(uid), uid };
  }
}

/**
 * Throws PRIVILEGE_MISSING unless both files give the user subordinate ids, as mmdebstrap and newuidmap read them: the first line of the user counts.
 * `read` reads a file, and rejects where there is none.
 */
export async function requireSubordinateIds(
  { name, uid }: Builder,
  read: (path: string) => Promise<string> = (path) => readFile(path, 'utf8'),
): Promise<void> {
  const lacking: string[] = [];
  for (const path of ['/etc/subuid', '/etc/subgid']) {
    const lines = (await read(path).catch(() => '')).split('\n').map((line) => line.split(':'));
    const [, , ids] = lines.find(([owner]) => owner === name) ?? [];
    if (!(Number(ids) >= IDS)) lacking.push(path);
  }
  if (lacking.length === 0) return;
  const options = lacking.map((path) => (path === '/etc/subuid' ? '--add-subuids' : '--add-subgids'));
  throw new ReveilleError(
    'PRIVILEGE_MISSING',
    `images hold files of many owners, and ${lacking.join(' and ')} ${lacking.length === 1 ? 'gives' : 'give'} ${name} (uid ${uid}) no range of ${IDS} ids`,
    {
      hint: `as root: usermod ${options.map((option) => `${option} FIRST-LAST`).join(' ')} ${name}, with ids that no other line has; ${MAKES_USER}`,
    },
  );
}

/** What to say where root built into the state of another user; nothing elsewhere. `uid` is of the process, `owner` of the state folder. */
export function ownershipNote(state: string, uid: number | undefined, owner: number | undefined): string | undefined {
  if (uid !== 0 || owner === undefined || owner === 0) return undefined;
  const images = join(state, 'images');
  return `The image belongs to root, and ${state} to uid ${owner}. Give it back: chown -R -h --reference=${state} ${images}. Or build as that user: runuser -u USER -- reveille image build NAME.`;
}

/** What to do where a file of a build cannot be made: who owns the folder that it would be in. */
export async function whoMayWrite(path: string, builder: Builder): Promise<string> {
  let folder = dirname(path);
  let found = await stat(folder).catch(() => undefined);
  while (found === undefined && folder !== dirname(folder)) {
    folder = dirname(folder);
    found = await stat(folder).catch(() => undefined);
  }
  const owner = found?.uid === builder.uid ? `${builder.name} itself` : `uid ${found?.uid}`;
  return `you are ${builder.name}, and ${folder} belongs to ${owner}. Name folders that you may write with --state and --cache (or REVEILLE_CACHE); ${MAKES_USER}`;
}
