import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReveilleError } from '../errors.ts';

/** A BMC that OpenIPMI's simulator plays; it speaks IPMI 1.5 and 2.0 over the network. */
export type VirtualBmc = {
  /** A file name. */
  readonly name: string;
  /** IPv4 address and UDP port at which it answers. */
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /**
   * The command line that acts as the machine's chassis, called with `get power` (and prints `power:1` or `power:0`), `set power
   * 1`, `set power 0`, `set reset 1`, `get boot`, `set boot pxe`.
   */
  readonly chassis: string;
};

export type Spawn = (command: readonly string[], options: SpawnOptions) => ChildProcess;

const STARTS_MS = 10_000;

/**
 * Starts a BMC in the namespace of `spawn`, with its files in `folder`, and waits until it answers. It ends with its process.
 * Throws TOOL_MISSING without the simulator, LAB_FAILED if it does not start.
 */
export async function startIpmiSim(bmc: VirtualBmc, folder: string, spawn: Spawn): Promise<ChildProcess> {
  const own = join(folder, `bmc-${bmc.name}`);
  await mkdir(join(own, 'state'), { recursive: true });
  // It contains the password.
  await writeFile(join(own, 'lan.conf'), lanConfiguration(bmc), { mode: 0o600 });
  await writeFile(join(own, 'commands'), COMMANDS);
  const command = [
    'ipmi_sim',
    '-n',
    '-c',
    join(own, 'lan.conf'),
    '-f',
    join(own, 'commands'),
    '-s',
    join(own, 'state'),
  ];
  const simulator = spawn(command, { stdio: ['ignore', 'pipe', 'pipe'] });
  let words = '';
  for (const stream of [simulator.stdout, simulator.stderr]) stream?.on('data', (piece) => (words += piece));
  let failed: Error | undefined;
  simulator.once('error', (error) => (failed = error));
  for (let waited = 0; !(await isListening(spawn, bmc)); waited += 50) {
    if (failed || simulator.exitCode === 127) {
      throw new ReveilleError('TOOL_MISSING', `ipmi_sim, which plays the BMC of ${bmc.name}, does not start`, {
        hint: 'Install it: apt-get install openipmi',
        ...(failed === undefined ? {} : { cause: failed }),
      });
    }
    if (simulator.exitCode !== null || waited >= STARTS_MS) {
      throw new ReveilleError('LAB_FAILED', `the BMC of ${bmc.name} did not start: ${words.trim().slice(-300)}`);
    }
    await sleep(50);
  }
  return simulator;
}

/** One administrator, who logs in only by ways that do not send the password. */
function lanConfiguration({ name, address, port, user, password, chassis }: VirtualBmc): string {
  return [
    `name ${quoted(name)}`,
    'set_working_mc 0x20',
    'startlan 1',
    `addr ${address} ${port}`,
    'priv_limit admin',
    ...['callback', 'user', 'operator', 'admin'].map((level) => `allowed_auths_${level} md2 md5`),
    `guid ${Buffer.from(name.padEnd(16, '\0')).subarray(0, 16).toString('hex')}`,
    'endlan',
    `chassis_control "${chassis}"`,
    `user 2 true ${quoted(user)} ${quoted(password)} admin 10 md2 md5`,
    '',
  ].join('\n');
}

/** The one controller at the address; its identity is made up. */
const COMMANDS = `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02
mc_enable 0x20
`;

function quoted(text: string): string {
  if (/^[^"\\\s\p{Cc}]*$/u.test(text)) return `"${text}"`;
  throw new ReveilleError(
    'LAB_FAILED',
    'the user or the password of a virtual BMC has a space, a quotation mark or "\\"',
    {
      hint: 'ipmi_sim cannot read it: rehearse with another secret',
    },
  );
}

/** Whether a process listens at its port, by the namespace's own socket table: the address there is in host byte order. */
async function isListening(spawn: Spawn, { address, port }: VirtualBmc): Promise<boolean> {
  const reader = spawn(['cat', '/proc/net/udp'], { stdio: ['ignore', 'pipe', 'ignore'] });
  let table = '';
  for await (const piece of reader.stdout ?? []) table += piece;
  const hex = (number: number, digits: number) => number.toString(16).toUpperCase().padStart(digits, '0');
  const inMemory = address
    .split('.')
    .reverse()
    .map((octet) => hex(Number(octet), 2));
  return table.includes(`: ${inMemory.join('')}:${hex(port, 4)} `);
}
