import { type BootServer, bootUrl } from '../model/bootServer.ts';
import type { WireNode } from '../model/node.ts';
import type { BootAnswer, BootClient } from './client.ts';
import { METHODS, methodFor } from './methods.ts';

/**
 * What this client loads next: what the table of boot methods has for it. Machines that the site does not list, and nodes with
 * neither image nor menu entry, boot nothing.
 */
export function decideBoot(
  client: BootClient,
  node: WireNode | undefined,
  server: BootServer,
  methods = METHODS,
): BootAnswer {
  if (!node) return { kind: 'none', reason: { code: 'not-listed' } };
  if ((node.image ?? node.boot) === undefined) return { kind: 'none', reason: { code: 'no-image', node: node.name } };

  const { firmware } = client;
  const method = methodFor(client, node.loader, methods);
  if (!method) return { kind: 'none', reason: { code: 'no-method', firmware, choice: node.loader } };
  if (method.gives === 'configuration') {
    const bootFile = `${bootUrl(server)}/${method.folder}/${client.mac}`;
    return { kind: 'boot', bootFile, method: method.name, reason: { code: 'ipxe-script' } };
  }

  const { file, next, pathPrefix } = method.loader;
  // Our own iPXE that is given iPXE again would be given it for ever.
  if (client.ipxe?.own && 'method' in next) return { kind: 'none', reason: { code: 'would-loop', file } };
  return {
    kind: 'boot',
    bootFile: method.transport === 'tftp' ? file : `${bootUrl(server)}/files/${file}`,
    method: method.name,
    ...(pathPrefix === undefined ? {} : { pathPrefix }),
    reason: { code: 'loader', firmware, choice: node.loader },
  };
}
