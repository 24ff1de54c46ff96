import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import type { Flavour } from './agent.rig.ts';

if (process.env.REVEILLE_ISOLATED !== '1') throw new Error('run this with test/isolated');

const AGENT = process.env.REVEILLE_AGENT ?? join(import.meta.dirname, '../../src/node/agent');

/** Whether users other than root exist here: an ordinary user's namespace may have but one. */
export const HAS_USERS = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/)[2] !== '1';
/** The user who attacks. Where there is but one, that one, in folders that everybody may write to. */
export const ATTACKER = HAS_USERS ? 64061 : 0;

// Where root alone may write on the way, as on the way to a node's own folders.
chmodSync('/run', 0o755);
const scratch = mkdtempSync('/run/reveille-attack-');
chmodSync(scratch, 0o755);
let tools = '';
after(() => {
  execFileSync('sh', ['-c', `umount -l ${scratch}/*/home 2>/dev/null; true`]);
  rmSync(scratch, { recursive: true, force: true });
});

/**
 * The agent's functions over folders of a test: `home` is the attacker's, `vault` and `etc` are root's, with a `shadow` that only
 * root may read and a `passwd` for all.
 */
export type Ground = {
  readonly root: string;
  readonly home: string;
  /** Runs shell lines with the agent's functions; a failing line does not end it. */
  run(lines: string, patienceMs?: number): string;
  /** Starts Node.js lines as the attacker, with `fs`, `home`, `vault` and `etc` set, until the promise's function is called. */
  attack(t: { after(end: () => unknown): void }, lines: string): Promise<() => Promise<string>>;
  /** What must not change: owner, mode, links and content of root's files, and the names in root's folders. */
  canaries(): string;
  /** The files below the given folders that hold `text`. */
  holding(text: string, ...folders: readonly string[]): readonly string[];
};

export const SECRET = 'root:canary-of-the-vault';

/** `mounted` makes `home` a file system of its own, whose top folder belongs to the attacker. */
export function ground(flavour: Flavour, { mounted = false }: { mounted?: boolean } = {}): Ground {
  const root = mkdtempSync(join(scratch, `${flavour}-`));
  chmodSync(root, 0o755);
  const home = join(root, 'home');
  for (const name of ['home', 'run', 'kept', 'vault', 'etc']) mkdirSync(join(root, name));
  if (mounted) execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', home]);
  chownSync(home, ATTACKER, ATTACKER);
  chmodSync(home, HAS_USERS ? 0o755 : 0o777);
  chmodSync(join(root, 'vault'), 0o700);
  for (const folder of ['vault', 'etc']) writeFileSync(join(root, folder, 'shadow'), SECRET, { mode: 0o600 });
  writeFileSync(join(root, 'etc/passwd'), 'for all');
  const shell = flavour === 'dash' ? ['dash'] : ['busybox', 'sh'];
  const prelude = `set -u
LIB=${AGENT}
. $LIB/talk.sh
. $LIB/apply.sh
. $LIB/services.sh
${flavour === 'dash' ? '' : `PATH=${busybox()}`}
D=${root} RUN=${root}/run KEPT=${root}/kept ONLINE='' DURING=refresh STEP=files STEP_BEGAN=0 HELD=''
begin_reports
begin_applying refresh
mkdir -p $WORK/stage/data
printf 'laid by root' >$WORK/stage/data/blob
printf 'target of a link' >$WORK/stage/data/target
SUM=$(sha256sum <$WORK/stage/data/blob)
SUM=\${SUM%% *}
cp $WORK/stage/data/blob $WORK/stage/data/$SUM
`;
  return {
    root,
    home,
    run: (lines, patienceMs = 60_000) =>
      execFileSync(shell[0] ?? '', [...shell.slice(1), '-c', `exec 2>&1\n${prelude}${lines}`], {
        encoding: 'utf8',
        timeout: patienceMs,
        killSignal: 'SIGKILL',
      }),
    async attack(t, lines) {
      const program = `const fs = require('node:fs');
        Error.stackTraceLimit = 0;
        if (${HAS_USERS}) { process.setgroups([]); process.setgid(${ATTACKER}); process.setuid(${ATTACKER}); }
        const [home, vault, etc] = ${JSON.stringify(['home', 'vault', 'etc'].map((name) => join(root, name)))};
        const read = new Set();
        const tries = (...steps) => { for (const step of steps) try { step(); } catch {} };
        process.once('SIGTERM', () => { ending = true; });
        let ending = false;
        const any = (list) => list[Math.floor(Math.random() * list.length)];
        const sleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
        const round = () => {
          ${lines}
          if (ending) { fs.writeSync(1, [...read].join('\\n')); process.exit(0); }
          setImmediate(round);
        };
        fs.writeSync(1, 'begins\\n');
        round();`;
      const child = spawn(process.execPath, ['-e', program], { cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] });
      t.after(() => child.kill('SIGKILL'));
      let printed = '';
      child.stdout.setEncoding('utf8').on('data', (piece: string) => (printed += piece));
      const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
      await new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
      return async () => {
        child.kill('SIGTERM');
        await ended;
        return printed.replace('begins\n', '');
      };
    },
    canaries: () =>
      execFileSync(
        'sh',
        [
          '-c',
          `cd ${root} && find vault etc -exec stat -c '%n %U %G %a %h %i' {} + | sort && cat vault/shadow etc/shadow etc/passwd`,
        ],
        { encoding: 'utf8' },
      ),
    holding(text, ...folders) {
      const found = execFileSync(
        'sh',
        ['-c', `find ${folders.join(' ')} -xdev -type f -exec grep -lF -- '${text}' {} + 2>/dev/null || true`],
        { encoding: 'utf8' },
      );
      return found.split('\n').filter((line) => line !== '');
    },
  };
}

/** A folder with the programs of busybox alone. */
function busybox(): string {
  if (tools === '') {
    tools = join(scratch, 'busybox');
    mkdirSync(tools);
    for (const applet of execFileSync('busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n'))
      symlinkSync('/usr/bin/busybox', join(tools, applet));
  }
  return tools;
}
