import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { agentFiles } from '../../src/node/agent/files.ts';

/** Which programs a rig's machine has: Debian's (dash, curl, coreutils, iproute2) or one busybox and nothing else. */
export type Flavour = 'dash' | 'busybox';

export type Rig = {
  readonly root: string;
  /** Starts the agent, or its part that runs later; the promise settles with its exit code and all it printed. */
  start(
    cmdline: string,
    program?: 'reveille-agent' | 'reveille-refresh' | 'reveille-opened',
  ): Promise<{ code: number | null; printed: string }>;
  /** Runs a shell line on the machine and returns what it printed. */
  run(line: string): string;
  read(path: string): string;
  stop(): void;
};

const NAMESPACE = 'node';
const MAC = '52:54:00:00:00:51';

/** A wire from this namespace (srv0, 10.0.0.2) to the namespace `node` (eth0, and 10.0.0.51 unless DHCP is to give it). */
export function wire({ address = true } = {}): void {
  sh(`ip netns add ${NAMESPACE}
    ip link add srv0 type veth peer name eth0 netns ${NAMESPACE}
    ip addr add 10.0.0.2/24 dev srv0
    ip link set srv0 up
    ip -n ${NAMESPACE} link set eth0 address ${MAC}
    ip -n ${NAMESPACE} link set lo up`);
  if (address) sh(`ip -n ${NAMESPACE} addr add 10.0.0.51/24 dev eth0; ip -n ${NAMESPACE} link set eth0 up`);
}

/** Asks for an address as the machine's firmware does: it boots. The address is not set. */
export function askAsFirmware(): void {
  const vendor = 'PXEClient:Arch:00000:UNDI:002001';
  sh(`ip netns exec ${NAMESPACE} busybox udhcpc -i eth0 -n -q -f -V ${vendor} -s /bin/true 2>&1`);
}

/** Ends what runs on the machine, the refresher among it. */
export function killAll(): void {
  sh(`for _ in 1 2 3; do ip netns pids ${NAMESPACE} | xargs -r kill -9 2>/dev/null || true; done`);
}

export function unwire(): void {
  sh(`ip link del srv0; ip netns del ${NAMESPACE}`);
}

/**
 * A machine's root below `folder`, with the agent laid in as an image has it; Debian's without these programs, or with those of `only`
 * and no others. `prepare` is shell that runs in the root before each program.
 */
export function rig(
  folder: string,
  flavour: Flavour,
  without: readonly string[] = [],
  only?: readonly string[],
  prepare = '',
): Rig {
  const root = join(folder, 'root');
  for (const name of ['proc', 'sys', 'dev', 'run', 'tmp', 'root', 'etc/init.d', 'var', 'usr'])
    mkdirSync(join(root, name), { recursive: true });
  if (flavour === 'dash') {
    for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(root, name));
    mkdirSync(join(root, 'etc/alternatives'));
    symlinkSync('/usr/bin/mawk', join(root, 'etc/alternatives/awk'));
    if (only !== undefined) linkPrograms(root, only);
  } else {
    mkdirSync(join(root, 'bin'));
    copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
    for (const applet of execFileSync('busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n')) {
      if (only !== undefined && !only.includes(applet)) continue;
      if (!existsSync(join(root, 'bin', applet))) symlinkSync('busybox', join(root, 'bin', applet));
    }
    mkdirSync(join(root, 'lib'));
    symlinkSync('lib', join(root, 'lib64'));
    for (const [, path] of execFileSync('ldd', ['/bin/busybox'], { encoding: 'utf8' }).matchAll(/(\/lib\S+)/g)) {
      if (path !== undefined) copyFileSync(path, join(root, 'lib', path.split('/').at(-1) ?? ''));
    }
    symlinkSync('.', join(root, 'lib/x86_64-linux-gnu'));
  }
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), `root:x:0:\nnova:x:${NOVA}:\n`);
  const image = join(folder, 'image');
  for (const file of agentFiles()) {
    const path = join(image, file.path);
    mkdirSync(dirname(path), { recursive: true });
    if ('target' in file) symlinkSync(file.target, path);
    else writeFileSync(path, file.content, { mode: file.mode });
  }
  const agent = flavour === 'dash' ? '/bin/dash' : '/bin/busybox sh';
  let running: ChildProcess | undefined;

  const inside = (cmdline: string, command: string): ChildProcess => {
    writeFileSync(join(folder, 'cmdline'), `${cmdline}\n`);
    // Everything of the kernel's is real: only the kernel line is covered.
    const setUp = `
      mount --rbind /proc ${root}/proc; mount --bind ${folder}/cmdline ${root}/proc/cmdline
      mount --rbind /sys ${root}/sys; mount --rbind /dev ${root}/dev
      ${flavour === 'dash' ? `mount --bind -o ro /usr ${root}/${only === undefined ? 'usr' : 'host'}` : ''}
      ${without.map((name) => `mount --bind /dev/null ${root}/usr/bin/${name}`).join('; ')}
      mkdir -p ${root}/agent; mount --bind ${image}/usr ${root}/agent
      cd ${root}; ${prepare}
      exec chroot ${root} ${command}`;
    return spawn('ip', ['netns', 'exec', NAMESPACE, 'unshare', '--uts', 'sh', '-ec', setUp], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  };
  const finished = (child: ChildProcess) =>
    new Promise<{ code: number | null; printed: string }>((resolve) => {
      let printed = '';
      child.stdout?.on('data', (piece) => (printed += piece));
      child.stderr?.on('data', (piece) => (printed += piece));
      child.once('close', (code) => resolve({ code, printed }));
    });

  return {
    root,
    start(cmdline, program = 'reveille-agent') {
      running = inside(cmdline, `${agent} /agent/sbin/${program}`);
      return finished(running);
    },
    run(line) {
      return execFileSync('chroot', [root, '/bin/sh', '-c', line], { encoding: 'utf8' });
    },
    read: (path) => readFileSync(join(root, path), 'utf8'),
    stop: () => running?.kill('SIGKILL'),
  };
}

/** Makes /usr of a machine of these programs alone; this machine's own /usr is mounted as /host. */
function linkPrograms(root: string, programs: readonly string[]): void {
  for (const name of ['host', 'usr/bin', 'usr/sbin']) mkdirSync(join(root, name), { recursive: true });
  for (const name of ['lib', 'lib64']) symlinkSync(`/host/${name}`, join(root, 'usr', name));
  // What these programs are linked to on this machine.
  symlinkSync('/host/bin/mawk', join(root, 'usr/bin/mawk'));
  for (const name of ['dash', ...programs].filter((one) => one !== 'awk')) {
    const from = ['bin', 'sbin'].find((folder) => existsSync(join('/usr', folder, name)));
    if (from !== undefined) symlinkSync(`/host/${from}/${name}`, join(root, 'usr/bin', name));
  }
  symlinkSync('mawk', join(root, 'usr/bin/awk'));
}

/** The generator's output folder after it ran under `shell` with this kernel line. */
export function runGenerator(folder: string, shell: readonly string[], cmdline: string): string {
  mkdirSync(folder, { recursive: true });
  const generator = join(folder, 'reveille-hold');
  const file = agentFiles().find(({ path }) => path.endsWith('/reveille-hold'));
  if (!file || !('content' in file)) throw new Error('the image has no generator');
  writeFileSync(generator, file.content);
  chmodSync(generator, file.mode);
  writeFileSync(join(folder, 'cmdline'), `${cmdline}\n`);
  const out = join(folder, 'out');
  sh(
    `unshare --mount sh -ec 'mount --bind ${folder}/cmdline /proc/cmdline; ${shell.join(' ')} ${generator} ${out} ${out}.early ${out}.late'`,
  );
  return out;
}

/** A group other than root's, where this namespace has more than one. */
export const NOVA = readFileSync('/proc/self/gid_map', 'utf8').trim().split(/\s+/)[2] === '1' ? 0 : 64060;

export function sh(script: string): string {
  return execFileSync('sh', ['-ec', script], { encoding: 'utf8' });
}
