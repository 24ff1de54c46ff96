import { formatIpv4, type Ipv4 } from './ipv4.ts';

/** Where a node reaches this server: its address in the node's network and its HTTP port. */
export type BootServer = { readonly ip: Ipv4; readonly httpPort: number };

/** `http://10.0.0.2:8080`: what the nodes' API lies under; the port is left out where it is 80. */
export function serverUrl(server: BootServer): string {
  return `http://${formatIpv4(server.ip)}${server.httpPort === 80 ? '' : `:${server.httpPort}`}`;
}

/** What the boot files lie under. */
export function bootUrl(server: BootServer): string {
  return `${serverUrl(server)}/boot`;
}
