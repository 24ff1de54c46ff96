import { type BootServer, bootUrl } from '../model/bootServer.ts';
import type { SiteNode } from '../model/node.ts';
import type { BootAnswer, BootClient } from './client.ts';
import { LOADERS } from './loaders.ts';

/**
 * What this client loads next. Strangers and nodes with neither image nor menu entry are never told to boot. iPXE that
 * speaks HTTP gets its script at once, unless the node wants another loader; all else gets the loader that `LOADERS` names.
 */
export function decideBoot(client: BootClient, node: SiteNode | undefined, server: BootServer): BootAnswer {
  if (!node) return { kind: 'none', reason: 'the site does not list this machine' };
  if ((node.image ?? node.boot) === undefined) {
    return { kind: 'none', reason: `${node.name} has no image: it gets an address only` };
  }

  const wantsIpxe = node.loader === 'auto' || node.loader === 'ipxe';
  if (wantsIpxe && client.ipxe?.http) {
    return {
      kind: 'boot',
      bootFile: `${bootUrl(server)}/ipxe/${client.mac}`,
      reason: 'iPXE with HTTP is asking: it runs its script',
    };
  }

  const loader = LOADERS[client.firmware]?.[node.loader];
  if (!loader) {
    return { kind: 'none', reason: `no loader for ${client.firmware} firmware with loader: ${node.loader}` };
  }
  if (client.ipxe && wantsIpxe && client.ipxe.own) {
    return { kind: 'none', reason: `${loader.file} is running already and lacks HTTP: chaining it again would loop` };
  }
  return {
    kind: 'boot',
    bootFile: loader.file,
    ...(loader.file === 'pxelinux.0' ? { pathPrefix: '/' } : {}),
    reason: `${client.firmware} firmware with loader: ${node.loader}`,
  };
}
