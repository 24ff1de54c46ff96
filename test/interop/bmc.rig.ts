import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startIpmiSim } from '../../src/lab/ipmiSim.ts';

/** A chassis that is a file; it notes what it is told, and what runs on the machine meanwhile. */
const CHASSIS = `#!/bin/sh
cd "$(dirname "$0")"
echo "$*" >> told
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' >> seen
case "$*" in
  'get power') echo "power:$(cat power)";;
  'get boot') echo boot:none;;
  'set power '*) echo "$3" > power;;
esac
`;

/** How the site names it: the simulator does not tell its cipher suites, for which ipmitool would ask 9 s. */
export const BMC = 'address: 127.0.0.1, port: 6230, cipher: 3';

/** Starts a real BMC, of OpenIPMI, at that place; user admin. Its machine is off. */
export async function realBmc(folder: string, password: string) {
  const chassis = join(folder, 'chassis');
  mkdirSync(chassis, { recursive: true });
  writeFileSync(join(chassis, 'power'), '0\n');
  writeFileSync(join(chassis, 'run'), CHASSIS);
  chmodSync(join(chassis, 'run'), 0o755);
  const bmc = { name: 'node01', address: '127.0.0.1', port: 6230, user: 'admin', password };
  const simulator = await startIpmiSim(
    { ...bmc, chassis: join(chassis, 'run') },
    folder,
    ([program = '', ...args], how) => spawn(program, args, how),
  );
  const read = (name: string) => (existsSync(join(chassis, name)) ? readFileSync(join(chassis, name), 'utf8') : '');
  return {
    /** What it told the machine, without its questions. */
    told: () =>
      read('told')
        .split('\n')
        .filter((line) => line.startsWith('set')),
    /** The command lines of all programs that ran while the machine was told something. */
    seen: () => read('seen'),
    async stop() {
      if (!simulator.kill()) return;
      await once(simulator, 'exit');
    },
  };
}
