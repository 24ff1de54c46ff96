import { join } from 'node:path';
import { tftpFiles } from '../boot/files.ts';
import { ServedImages } from '../image/served.ts';
import { openShelf } from '../image/shelf.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import { imageOf } from '../roll/pins.ts';
import { serverAddresses } from '../serverAddresses.ts';
import { WireView } from '../site/wireSite.ts';
import { startTftpServer } from '../tftp/server.ts';
import { serveInThread } from '../threads/serveInThread.ts';
import { AwaitedIds } from './awaitedIds.ts';
import type { Endpoints } from './endpoints.ts';
import type { Holder, TftpShape } from './tftpShape.ts';

// The thread of TFTP. All that an answer needs is here: the site in force, the shelf, the pins of nodes, their machine-ids.

await serveInThread<TftpShape>(async ({ start, events, faulted }) => {
  const view = new WireView(start.site);
  const site = () => view.site;
  let endpoints: Endpoints = start;
  let { pins } = start;
  const ids = new AwaitedIds();
  const heldUntil = new Map<Ipv4, number>();
  const hold = (holders: readonly Holder[]) => {
    for (const [ip, until] of holders) {
      if (until === 0) heldUntil.delete(ip);
      else heldUntil.set(ip, until);
    }
  };
  hold(start.holders);
  const isKnown = (ip: Ipv4) => site().nodeByIp.has(ip) || (heldUntil.get(ip) ?? 0) > Date.now();

  const images = new ServedImages(openShelf(join(start.stateFolder, 'images')), events);
  const addresses = serverAddresses(site, () => endpoints.addresses, {
    get current() {
      return endpoints.httpPort;
    },
  });
  const server = await startTftpServer({
    addresses: addresses.serverAddresses,
    source: tftpFiles({
      site,
      serverOf: addresses.serverOf,
      networkOf: addresses.networkOf,
      imageOf: imageOf(images, (node) => pins.get(node)),
      imageFile: images.file,
      machineIdOf: (node) => ids.of(node),
    }),
    events,
    faulted,
    descriptors: start.descriptors,
    isKnown,
    limits: () => site().tftp,
  });
  return {
    received(message) {
      switch (message.kind) {
        case 'site':
          view.take(message.change);
          if (message.change.kind === 'in force') ids.forget(message.change.gone);
          break;
        case 'pins':
          pins = message.pins;
          break;
        case 'machine-ids':
          ids.take(message.ids);
          break;
        case 'holders':
          hold(message.holders);
          break;
      }
    },
    answers: {
      reload: async (current) => {
        endpoints = current;
        for (const [ip, until] of heldUntil) if (until <= Date.now()) heldUntil.delete(ip);
        await server.reload();
      },
    },
    gauges: () => server.gauges(),
    close: () => server.close(),
  };
});
