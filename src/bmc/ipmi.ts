import { execFile } from 'node:child_process';
import { ReveilleError } from '../errors.ts';
import type { Bmc } from '../model/node.ts';
import type { BmcSession } from './session.ts';

type IpmiBmc = Bmc & { readonly kind: 'ipmi' };

/** How a run of ipmitool ended; `missing`: there is no such program. */
export type Run = {
  readonly code: number | 'missing' | 'timeout';
  readonly stdout: string;
  readonly stderr: string;
};

/**
 * Longer than ipmitool's own timeout for a BMC that is down, and enough for a slow one that must be asked for its cipher suites.
 */
const PATIENCE_MS = 30_000;
/** One second for an answer, three attempts: ipmitool's defaults take 12 s for a BMC that is down. */
const RETRIES = ['-N', '1', '-R', '3'];

/** A BMC that speaks IPMI, by the program ipmitool. Nothing is sent before the first call. Throws TOOL_MISSING without it. */
export function openIpmi(bmc: IpmiBmc, password: string, run = runIpmitool): BmcSession {
  const order = async (...words: string[]): Promise<string> => {
    const ended = await run([...accessArguments(bmc), ...words], password);
    if (ended.code === 0) return ended.stdout;
    throw ipmiFailure(bmc, ended);
  };
  return {
    async power() {
      const printed = await order('chassis', 'power', 'status');
      const [, power] = /Chassis Power is (on|off)/i.exec(printed) ?? [];
      if (power !== undefined) return power.toLowerCase() === 'on' ? 'on' : 'off';
      throw new ReveilleError(
        'BMC_UNSUPPORTED',
        `${nameOf(bmc)} does not say whether the machine is on: ${printed.trim()}`,
      );
    },
    async change(to) {
      await order('chassis', 'power', to);
    },
    async bootFromNetworkOnce() {
      await order('chassis', 'bootdev', 'pxe', ...(bmc.bootMode === 'uefi' ? ['options=efiboot'] : []));
    },
  };
}

/** The arguments that select the BMC. The password is not among them: every process of the machine can read arguments. */
export function accessArguments({ address, port, user, privilege, cipher, ...bmc }: IpmiBmc): readonly string[] {
  return [
    // Without it ipmitool prints no reason for a refused login.
    '-v',
    ...['-I', bmc.interface, '-H', address, '-p', String(port), '-U', user, '-E'],
    ...['-L', privilege.toUpperCase(), ...RETRIES],
    ...(cipher === undefined ? [] : ['-C', String(cipher)]),
  ];
}

function runIpmitool(args: readonly string[], password: string): Promise<Run> {
  const env = { PATH: process.env.PATH, LC_ALL: 'C', IPMI_PASSWORD: password };
  return new Promise((resolve) => {
    execFile('ipmitool', args, { env, timeout: PATIENCE_MS, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      const code = !error
        ? 0
        : error.code === 'ENOENT'
          ? 'missing'
          : error.killed
            ? 'timeout'
            : Number(error.code ?? -1);
      resolve({ code, stdout, stderr });
    });
  });
}

const LOGIN =
  /RAKP [24] .*(HMAC is invalid|unauthorized|invalid)|Invalid user ?name|Activate Session|exceeds limit|too long|longer than/i;
const CIPHER = /cipher|authentication algorithm|integrity algorithm|confidentiality algorithm/i;
const NO_SESSION = /Unable to establish|Could not open socket|is too long|longer than/;
const UNABLE = /(Invalid command|not supported[^:]*|Invalid data field[^:]*|Parameter out of range)\s*$/i;

/** The error for how ipmitool ended and what it printed. */
export function ipmiFailure(bmc: IpmiBmc, { code, stderr }: Run): ReveilleError {
  const name = nameOf(bmc);
  if (code === 'missing') {
    return new ReveilleError('TOOL_MISSING', 'ipmitool is not installed', {
      hint: 'Install it: apt-get install ipmitool',
    });
  }
  if (code === 'timeout') {
    return new ReveilleError('BMC_UNREACHABLE', `${name} does not answer within ${PATIENCE_MS / 1000} s`);
  }
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const find = (pattern: RegExp) => lines.find((line) => pattern.test(line))?.replace(/^[>\s]+/, '');
  if (find(NO_SESSION) !== undefined) {
    const login = find(LOGIN);
    if (login !== undefined) {
      return new ReveilleError('BMC_LOGIN_REFUSED', `${name} does not let ${bmc.user} in: ${login.trim()}`, {
        hint: 'see bmc.user, bmc.password and bmc.privilege in the site, and whether the user may use IPMI over LAN',
      });
    }
    const cipher = find(CIPHER);
    if (cipher !== undefined && bmc.interface === 'lanplus') {
      return new ReveilleError('BMC_UNSUPPORTED', `${name} does not take the cipher suite: ${cipher.trim()}`, {
        hint: 'set bmc.cipher in the site: 17 or 3 mostly',
      });
    }
    const why = find(/Address lookup/);
    return new ReveilleError(
      'BMC_UNREACHABLE',
      `${name} does not answer${why === undefined ? '' : `: ${why.trim()}`}`,
      {
        hint: 'is it in reach of this machine, and IPMI over LAN allowed on it?',
      },
    );
  }
  const words = lines.at(-1)?.trim() ?? `ipmitool ended with code ${code}`;
  if (/Insufficient privilege/i.test(words)) {
    const hint = 'see bmc.privilege in the site, and what the user may do';
    return new ReveilleError('BMC_LOGIN_REFUSED', `${name} does not let ${bmc.user} do this: ${words}`, { hint });
  }
  return new ReveilleError(UNABLE.test(words) ? 'BMC_UNSUPPORTED' : 'BMC_REFUSED', `${name}: ${words}`);
}

function nameOf({ address }: Bmc): string {
  return `the BMC ${address}`;
}
