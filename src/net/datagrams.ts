import type { Datagrams } from './datagramPort.ts';
import { native } from './native.ts';
import { PortableDatagrams } from './portablePorts.ts';
import { UdpBatch } from './udpBatch.ts';

/** With the addon in batches, else one call for each datagram. */
export function openDatagrams(): Datagrams {
  const addon = native();
  return addon === undefined ? new PortableDatagrams() : new UdpBatch(addon);
}
