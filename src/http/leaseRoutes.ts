import type { FastifyInstance } from 'fastify';
import { ReveilleError } from '../errors.ts';
import { formatIpv4, type Ipv4, parseIpv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';

/** What the operators' API asks of leases. */
export type LeasesForOperators = {
  list(): readonly Lease[];
  /** Ends the lease of an address. Rejects with LEASE_UNKNOWN. */
  release(ip: Ipv4): Promise<Lease>;
  nodeOf(mac: Mac): string | undefined;
  /** The range of the pool that an address is lent from. */
  poolOf(ip: Ipv4): string | undefined;
};

/** A lease as the API and `lease list --json` show it; times are milliseconds since the epoch. */
export type LeaseShown = Omit<Lease, 'ip' | 'clientId'> & {
  readonly ip: string;
  readonly node: string | null;
  /** The range of the pool that it is lent from; `null` for an address that the site keeps for its machine. */
  readonly pool: string | null;
};

/** `GET /api/v1/leases`, by address; `POST /api/v1/leases/ADDRESS/release`. */
export function addLeaseRoutes(app: FastifyInstance, leases: LeasesForOperators): void {
  const show = (lease: Lease) => shownLease(lease, leases);
  app.get('/api/v1/leases', async (_request, reply) => reply.send(byAddress(leases.list()).map(show)));
  app.post('/api/v1/leases/:ip/release', async (request, reply) => {
    const { ip: text } = request.params as { ip: string };
    const ip = parseIpv4(text);
    if (ip === undefined) throw new ReveilleError('REQUEST_INVALID', `${JSON.stringify(text)} is not an address`);
    return reply.send(show(await leases.release(ip)));
  });
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
