import type { FastifyInstance } from 'fastify';
import { formatIpv4, type Ipv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import { type LeaseShown, LIST_LEASES, RELEASE_LEASE } from './contracts/leases.ts';
import { serveJson } from './serveRoute.ts';

/** What the operators' API asks of leases. */
export type LeasesForOperators = {
  list(): readonly Lease[];
  /** Ends the lease of an address. Rejects with LEASE_UNKNOWN. */
  release(ip: Ipv4): Promise<Lease>;
  nodeOf(mac: Mac): string | undefined;
  /** The range of the pool that an address is lent from. */
  poolOf(ip: Ipv4): string | undefined;
};

/** What operators ask of leases. */
export function addLeaseRoutes(app: FastifyInstance, leases: LeasesForOperators): void {
  const show = (lease: Lease) => shownLease(lease, leases);
  serveJson(app, LIST_LEASES, () => byAddress(leases.list()).map(show));
  serveJson(app, RELEASE_LEASE, async ({ params: { ip } }) => show(await leases.release(ip)));
}

/** Leases in the order of their addresses. */
export function byAddress(leases: readonly Lease[]): readonly Lease[] {
  return leases.toSorted((a, b) => a.ip - b.ip);
}

/** A lease in the form of the API. */
export function shownLease(
  { ip, clientId: _, ...lease }: Lease,
  { nodeOf, poolOf }: Pick<LeasesForOperators, 'nodeOf' | 'poolOf'>,
): LeaseShown {
  const pool = lease.reserved ? undefined : poolOf(ip);
  return { ...lease, ip: formatIpv4(ip), node: nodeOf(lease.mac) ?? null, pool: pool ?? null };
}
