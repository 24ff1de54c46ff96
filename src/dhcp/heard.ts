import type { EventSink } from '../model/event.ts';
import type { Network } from '../model/network.ts';

/** What keeps a network from being answered: its interface is not there; its port is another program's; the server has no address for it. */
export type Lack = 'interface' | 'port' | 'address';

/** Which networks of the site are heard and answered; a change is an event, and so is what is not heard from the beginning. */
export class HeardNetworks {
  readonly #emit: EventSink;
  readonly #lacks = new Map<string, Lack>();

  constructor(emit: EventSink) {
    this.#emit = emit;
  }

  /** `remade` are interfaces that went since the last time, though they may be there again. */
  update(
    networks: ReadonlyMap<string, Network>,
    lackOf: (network: Network) => Lack | undefined,
    remade: ReadonlySet<string>,
  ): void {
    for (const name of [...this.#lacks.keys()]) if (!networks.has(name)) this.#lacks.delete(name);
    for (const network of networks.values()) {
      const lack = lackOf(network);
      const before = this.#lacks.get(network.name);
      const wasRemade = before === undefined && network.interface !== undefined && remade.has(network.interface);
      if (wasRemade && lack !== 'interface') this.#emit(lost(network, 'interface'));
      if (lack === undefined) {
        this.#lacks.delete(network.name);
        if (before !== undefined || wasRemade) this.#emit(heard(network));
      } else {
        this.#lacks.set(network.name, lack);
        if (lack !== before) this.#emit(lost(network, lack));
      }
    }
  }
}

function lost(network: Network, lacks: Lack) {
  return { kind: 'network.lost', ...whereOf(network), lacks } as const;
}

function heard(network: Network) {
  return { kind: 'network.heard', ...whereOf(network) } as const;
}

function whereOf({ name, interface: device, server }: Network) {
  return {
    network: name,
    ...(device === undefined ? {} : { interface: device }),
    ...(server === undefined ? {} : { server }),
  };
}
