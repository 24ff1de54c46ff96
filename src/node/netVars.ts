import { z } from 'zod';
import { parseIpv4, parseSubnet } from '../model/ipv4.ts';

const cidr = z.string().refine((text) => {
  const [ip = '', prefix = ''] = text.split('/');
  return parseIpv4(ip) !== undefined && /^([1-9]|[12][0-9]|3[0-2])$/.test(prefix);
}, 'expected an address with its prefix length, such as 10.1.0.51/24');
const subnet = z.string().refine((text) => parseSubnet(text) !== undefined, 'expected a subnet, such as 10.1.0.0/24');
const ip = z.string().refine((text) => parseIpv4(text) !== undefined, 'expected an address, such as 10.0.0.1');
const linkName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_.-]{0,14}$/, 'expected a name of 15 letters, digits, "_", "." and "-" at most');
/** A card's number (1 is the one that the node boots from), a MAC address, a kernel's name, or another link's name. */
const on = z.union([z.int().min(1), z.string().min(1)], 'expected the number of a card, a MAC address or a name');

const addressing = {
  address: z
    .union(
      [z.enum(['dhcp', 'static', 'none']), cidr.transform((one) => [one]), z.array(cidr).min(1)],
      'expected dhcp, static, none, or addresses such as 10.1.0.51/24',
    )
    .optional(),
  subnet: subnet.optional(),
  gateway: ip.optional(),
  dns: z.array(ip).optional(),
  search: z.array(z.string()).optional(),
  mtu: z.int().min(68).max(65535).optional(),
  routes: z.array(z.strictObject({ to: subnet, via: ip })).optional(),
};

const MODES = [
  'balance-rr',
  'active-backup',
  'balance-xor',
  'broadcast',
  '802.3ad',
  'balance-tlb',
  'balance-alb',
] as const;

/** The links that the variable `net` of a node declares. */
export const netVars = z.strictObject({
  main: z.strictObject(addressing).default({}),
  nics: z.record(linkName, z.strictObject({ ...addressing, on })).default({}),
  bonds: z
    .record(
      linkName,
      z.strictObject({ ...addressing, on: z.array(on).min(1), mode: z.enum(MODES).default('active-backup') }),
    )
    .default({}),
  bridge: z.strictObject({ ...addressing, name: linkName.default('br-provider'), on: on.optional() }).optional(),
  vlans: z
    .record(linkName, z.strictObject({ ...addressing, id: z.int().min(1).max(4094), on: on.default('main') }))
    .default({}),
});
export type NetVars = z.output<typeof netVars>;
/** The addresses of a link, and what goes with them. */
export type Addressing = NetVars['main'];
