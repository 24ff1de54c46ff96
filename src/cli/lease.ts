import { Argument, Command, Option } from 'commander';
import { ReveilleError } from '../errors.ts';
import { type LeaseShown, LIST_LEASES, RELEASE_LEASE } from '../http/contracts/leases.ts';
import { byAddress, shownLease } from '../http/leaseRoutes.ts';
import { parseIpv4 } from '../model/ipv4.ts';
import { openStore } from '../state/store.ts';
import { poolOf } from '../timeline/heldLease.ts';
import { formatMs } from '../words/units.ts';
import { ask, type ServerFlags } from './api.ts';
import { asking, jsonOption, siteOption } from './options.ts';
import { jsonText, paint } from './print.ts';
import { siteIn } from './site.ts';
import { reportDamaged } from './state.ts';
import { table } from './table.ts';

type Flags = ServerFlags & { readonly site: string; readonly json: boolean };

/** `reveille lease`: which addresses are lent, and ending one. */
export function leaseCommand(): Command {
  return new Command('lease')
    .description('show which addresses are lent to whom, and end a lease')
    .addCommand(listCommand())
    .addCommand(releaseCommand());
}

function listCommand(): Command {
  return asking(new Command('list'))
    .description('list the addresses that are lent, and those that were declined')
    .addOption(new Option('--all', 'leases that are over, too').default(false))
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  reveille lease list\n  reveille lease list --json')
    .action(async (flags: Flags & { readonly all: boolean }) => {
      const now = Date.now();
      const all = await leasesNow(flags);
      const shown = flags.all ? all : all.filter(({ state, expires }) => state !== 'released' && expires > now);
      console.log(flags.json ? jsonText(shown) : leasesText(shown, now));
    });
}

function releaseCommand(): Command {
  return asking(new Command('release'))
    .description('end the lease of an address, so that another machine may have it; the machine itself is not asked')
    .addArgument(new Argument('<address>', 'an address that `reveille lease list` names'))
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  reveille lease release 10.0.0.200')
    .action(async (address: string, flags: Flags) => {
      const ip = parseIpv4(address);
      if (ip === undefined) throw new ReveilleError('REQUEST_INVALID', `"${address}" is not an address`);
      const lease = await ask(flags, RELEASE_LEASE, { params: { ip } });
      console.log(flags.json ? jsonText(lease) : `${lease.ip} is free: the lease of ${lease.mac} has ended.`);
    });
}

/** The running server's leases; where none runs, those that the state holds. */
export async function leasesNow(flags: ServerFlags & { readonly site: string }): Promise<readonly LeaseShown[]> {
  try {
    return await ask(flags, LIST_LEASES, {});
  } catch (error) {
    if (flags.server !== undefined || !(error instanceof ReveilleError) || error.code !== 'SERVER_UNREACHABLE')
      throw error;
  }
  const current = await siteIn(flags.site);
  const store = await openStore(flags.state, { readOnly: true, onDamaged: reportDamaged });
  try {
    return byAddress(await store.leases.load()).map((lease) =>
      shownLease(lease, {
        nodeOf: (mac) => current.nodeByMac.get(mac)?.name,
        poolOf: (ip) => poolOf(current, ip),
      }),
    );
  } finally {
    await store.close();
  }
}

/** Leases as a table: who has which address, and for how long yet. `now` is in milliseconds since the epoch. */
export function leasesText(leases: readonly LeaseShown[], now: number): string {
  if (leases.length === 0) return 'No address is lent.';
  const rows = leases.map(({ ip, mac, node, network, state, expires, hostname }) => [
    ip,
    mac,
    node ?? hostname ?? '-',
    network,
    state,
    expires > now ? formatMs(expires - now) : 'over',
  ]);
  const [heading = '', ...lines] = table([['ADDRESS', 'MAC', 'WHO', 'NETWORK', 'STATE', 'FOR'], ...rows]).split('\n');
  return [paint('bold', heading), ...lines].join('\n');
}
