import { existsSync } from 'node:fs';
import { readConfiguration } from './text/includes.ts';

/** Where Debian says on which interfaces dhcpd listens. */
const DEFAULTS = '/etc/default/isc-dhcp-server';

/** The interface that this machine's dhcpd listens on, if `file` is its configuration and it is one only. */
export function listeningInterface(file: string): string | undefined {
  return file.startsWith('/etc/dhcp/') && existsSync(DEFAULTS) ? interfaceIn(readConfiguration(DEFAULTS)) : undefined;
}

/** The one interface of `INTERFACESv4="br0"` (or the older INTERFACES); `undefined` if there are several or none. */
export function interfaceIn(text: string): string | undefined {
  const [, names = ''] = /^\s*INTERFACES(?:v4)?\s*=\s*["']?([^"'\n#]*)/m.exec(text) ?? [];
  const [first, ...more] = names.trim().split(/\s+/);
  return first === '' || more.length > 0 ? undefined : first;
}
