import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

/** Debian's packages of the peers and load generators. */
const PACKAGES = [
  'kea-dhcp4-server',
  'kea-admin',
  'nginx-light',
  'dnsmasq-base',
  'tftpd-hpa',
  'mmdebstrap',

  'zstd',
];
/** Unpacked and not installed: it excludes tftpd-hpa. */
const ATFTPD = 'atftpd';

/** What the run was made on: processors, memory, system, versions. */
export function machineText(): readonly string[] {
  const [first] = cpus();
  const name = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
  return [
    `${cpus().length} processors (${first?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB, ${name}, Linux ${release()}`,
    `${new Date().toISOString().slice(0, 10)}, Reveille ${commit()}, Node.js ${process.version}`,
    [...PACKAGES.map((one) => `${one} ${versionOf(one)}`), `${ATFTPD} ${candidateOf(ATFTPD)}`].join(', '),
    `server and clients share the processors; load before the run ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0]}`,
  ];
}

function commit(): string {
  return output('git', '-C', import.meta.dirname, 'rev-parse', '--short', 'HEAD');
}

function versionOf(name: string): string {
  return output('dpkg-query', '-W', '-f', `\${Version}`, name);
}

function candidateOf(name: string): string {
  return /Candidate: (\S+)/.exec(output('apt-cache', 'policy', name))?.[1] ?? '?';
}

function output(program: string, ...args: readonly string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '?';
  }
}
