import type { Bmc } from '../../model/node.ts';

/** The BMC of a node, as a site resolves it. */
export const IPMI_BMC = {
  kind: 'ipmi',
  address: '10.1.0.51',
  port: 623,
  user: 'admin',
  password: '{{ secrets.bmc }}',
  interface: 'lanplus',
  privilege: 'operator',
} as const satisfies Bmc;
