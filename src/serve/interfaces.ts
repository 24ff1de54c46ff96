import { guarded } from '../faults.ts';
import { hearLinkNews } from '../net/linkNews.ts';
import type { Core } from './core.ts';
import type { Wire } from './wire.ts';

/** A change of an interface of which the kernel's message was lost is noticed within this time. */
const LOOK_MS = 5000;

export type InterfaceListeners = {
  /** The server's addresses are others. */
  readonly addressesChanged: () => void;
  /** Interfaces of the site came, went or were made anew; the server's addresses are as before. */
  readonly linksChanged: () => void;
};

/** Follows this machine's interfaces and their addresses. */
export function followInterfaces(
  { supervisor, opened }: Core,
  { interfaces, addresses }: Wire,
  { addressesChanged, linksChanged }: InterfaceListeners,
): void {
  const faulted = supervisor.sinkOf('interfaces');
  const look = guarded(faulted, () => {
    const before = { servers: addresses.serversState(), links: addresses.linksState(interfaces) };
    if (!interfaces.look()) return;
    if (addresses.serversState() !== before.servers) addressesChanged();
    else if (addresses.linksState(interfaces) !== before.links) linksChanged();
  });
  const looking = setInterval(look, LOOK_MS).unref();
  opened.defer(() => clearInterval(looking));
  const news = supervisor.part('interfaces', () => hearLinkNews(look, faulted));
  opened.defer(() => news.close());
}
