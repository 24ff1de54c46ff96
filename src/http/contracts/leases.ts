import { z } from 'zod';
import type { Contract } from './contract.ts';
import { addressText, macAddress, time } from './forms.ts';

/** A lease as the API and `lease list --json` show it. */
export const leaseShown = z
  .object({
    ip: z.string(),
    mac: macAddress,
    network: z.string().describe('The name that the network had when the lease was recorded.'),
    state: z.enum(['bound', 'released', 'declined']),
    start: time,
    expires: time,
    hostname: z.string().exactOptional(),
    reserved: z.boolean().exactOptional().describe('Whether the site kept the address for the machine.'),
    node: z.string().nullable(),
    pool: z
      .string()
      .nullable()
      .describe('The range of the pool that lends it; null for an address that the site keeps for its machine.'),
  })
  .meta({ id: 'Lease' });

export type LeaseShown = Readonly<z.output<typeof leaseShown>>;

export const LIST_LEASES = {
  method: 'GET',
  path: '/api/v1/leases',
  operation: 'listLeases',
  role: 'viewer',
  summary: 'All leases, by address, those that are over among them.',
  form: 'json',
  answer: z.array(leaseShown),
  refusals: [],
} as const satisfies Contract;

export const RELEASE_LEASE = {
  method: 'POST',
  path: '/api/v1/leases/:ip/release',
  operation: 'releaseLease',
  role: 'operator',
  summary: 'Ends the lease of an address; the machine itself is not asked.',
  params: z.strictObject({ ip: addressText }),
  form: 'json',
  answer: leaseShown,
  refusals: ['LEASE_UNKNOWN', 'STATE_UNAVAILABLE'],
} as const satisfies Contract;
