import { join } from 'node:path';
import { httpDiskFiles, isOnDisk } from '../boot/files.ts';
import type { FileSource } from '../boot/source.ts';
import { ServedImages } from '../image/served.ts';
import { openShelf } from '../image/shelf.ts';
import { native } from '../net/native.ts';
import { serveInThread } from '../threads/serveInThread.ts';
import { BulkServer } from './bulkServer.ts';
import type { BulkShape } from './bulkShape.ts';
import { MadeElsewhere } from './madeElsewhere.ts';

// Serves boot files over HTTP: bulk bytes share no thread with anything else.

const NICENESS = 10;

await serveInThread<BulkShape>(async ({ start, events, faulted, send }) => {
  const addon = native();
  if (addon === undefined) throw new Error('the addon is not built: this thread has nothing to serve with');
  // On busy processors DHCP's answers come first.
  addon.lowerPriority(NICENESS);
  let { tftp } = start;
  const images = new ServedImages(openShelf(join(start.stateFolder, 'images')), events);
  const onDisk = httpDiskFiles({ tftp: () => tftp, imageFile: images.file });
  const elsewhere = new MadeElsewhere(send);
  const bootFiles: FileSource = (name, client) => (isOnDisk(name) ? onDisk(name, client) : elsewhere.ask(name, client));
  const bulk = new BulkServer({
    native: addon,
    bootFiles,
    emit: events,
    faulted,
    handedOver: (fd, bytes) => send({ kind: 'connection', fd, bytes }),
    limits: start.limits,
    stallMs: start.stallMs,
  });
  return {
    received(message) {
      if (message.kind === 'made') {
        elsewhere.settle(message.id, message.made);
        return;
      }
      tftp = message.tftp;
      bulk.forget();
    },
    answers: { listen: ({ port, ip }) => bulk.listen(port, ip) },
    gauges: () => bulk.gauges(),
    close: async () => bulk.close(),
  };
});
