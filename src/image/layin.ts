import { ReveilleError } from '../errors.ts';
import type { AgentFile } from '../node/agent/files.ts';
import { globMatcher, mergedPlaces } from '../site/glob.ts';
import { type Entry, plainDirectory } from './entry.ts';
import { withoutDisks } from './fstab.ts';
import type { RootIndex } from './index.ts';
import { USELESS_UNITS } from './slim.ts';

/** A file that is laid into every image, over what the root has at its path. */
export type Laid = { readonly entry: Entry; readonly content: Uint8Array };

export type LayInRules = {
  readonly slim: boolean;
  readonly keep: readonly string[];
  readonly agent: readonly AgentFile[];
  /** The time that laid files bear. */
  readonly mtime: number;
};

/** What makes a root boot as an initrd and act as a node: init, empty identity, the agent. */
export function layIn(index: Pick<RootIndex, 'entries' | 'links' | 'fstab'>, rules: LayInRules): readonly Laid[] {
  const has = (path: string) => index.entries.has(resolvePath(index, path));
  const keeps = globMatcher(rules.keep.flatMap(mergedPlaces));
  const laid: Laid[] = [];
  const file = (path: string, mode: number, what: string | Uint8Array) => {
    const content = Buffer.from(what);
    const at = resolvePath(index, path);
    laid.push({ entry: { ...plainDirectory(at, rules.mtime), kind: 'file', mode, size: content.length }, content });
  };
  const link = (path: string, target: string) => {
    const at = resolvePath(index, path);
    laid.push({
      entry: { ...plainDirectory(at, rules.mtime), kind: 'symlink', mode: 0o777, target },
      content: NOTHING,
    });
  };

  for (const mountPoint of ['dev', 'proc', 'run', 'sys']) {
    if (!has(mountPoint)) laid.push({ entry: plainDirectory(mountPoint, rules.mtime), content: NOTHING });
  }
  if (!has('init')) link('init', initProgram(has));
  // Empty and not absent: systemd makes an id for this boot and does not take it for the first boot of an installation.
  file('etc/machine-id', 0o444, '');
  if (!has('etc/hosts')) file('etc/hosts', 0o644, '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n');
  const fstab = keeps('/etc/fstab') ? undefined : withoutDisks(index.fstab);
  if (fstab !== undefined) file('etc/fstab', 0o644, fstab);
  // Else systemd rebuilds ldconfig's cache, the hardware database and the journal's catalog at each boot.
  const updated = `TIMESTAMP_NSEC=${rules.mtime}000000000\n`;
  file('etc/.updated', 0o644, updated);
  file('var/.updated', 0o644, updated);
  if (rules.slim) {
    for (const { unit } of USELESS_UNITS) {
      const path = `etc/systemd/system/${unit}`;
      if (!has(path) && !keeps(`/${path}`)) link(path, '/dev/null');
    }
  }
  if (has('usr/sbin/sshd')) file('usr/lib/systemd/system/ssh.service.d/reveille.conf', 0o644, SSH_HOST_KEYS);
  for (const one of rules.agent) {
    const path = one.path.replace(/^\/+/, '');
    if ('target' in one) link(path, one.target);
    else file(path, one.mode, one.content);
  }
  return laid;
}

// No image holds host keys; sshd does not start without. Those that the node's own files bring are left as they are. None of
// RSA is made: it takes a hundred times as long as the others together, which an emulated processor feels at each boot.
const SSH_HOST_KEYS = `[Service]
ExecStartPre=
ExecStartPre=/bin/sh -c 'cd /etc/ssh && for type in ed25519 ecdsa; do [ -e ssh_host_"$$type"_key ] || \
  ssh-keygen -q -t $$type -N "" -f ssh_host_"$$type"_key; done'
ExecStartPre=/usr/sbin/sshd -t
`;

const NOTHING = new Uint8Array(0);

function initProgram(has: (path: string) => boolean): string {
  const init = ['usr/lib/systemd/systemd', 'lib/systemd/systemd', 'usr/sbin/init', 'sbin/init'].find(has);
  if (init !== undefined) return init;
  throw new ReveilleError('IMAGE_BUILD_FAILED', 'the root holds no init program', {
    hint: 'add systemd-sysv to the packages of the recipe',
  });
}

/** Where a path really lies in a root whose folders may be symlinks: `lib/x` -> `usr/lib/x`. The last part is not followed. */
export function resolvePath(index: Pick<RootIndex, 'entries'>, path: string): string {
  let done: string[] = [];
  let left = path.split('/').filter((part) => part !== '');
  for (let follows = 0; left.length > 0; ) {
    const [part = '', ...rest] = left;
    left = rest;
    if (part === '.') continue;
    if (part === '..') {
      done.pop();
      continue;
    }
    const target = rest.length === 0 ? undefined : index.entries.get([...done, part].join('/'))?.target;
    if (target === undefined) {
      done.push(part);
      continue;
    }
    if (++follows > MOST_FOLLOWED)
      throw new ReveilleError('IMAGE_BUILD_FAILED', `/${path} is a loop of symlinks in the root`);
    if (target.startsWith('/')) done = [];
    left = [...target.split('/').filter((one) => one !== ''), ...rest];
  }
  return done.join('/');
}

const MOST_FOLLOWED = 40;
