import type { InterfaceAddresses } from '../site/servers.ts';

/** The server's own addresses, by interface, and the port of HTTP: answers depend on them beside the site. */
export type Endpoints = { readonly addresses: InterfaceAddresses; readonly httpPort: number };
