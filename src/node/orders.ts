import { setTimeout as after } from 'node:timers/promises';
import type { GaugesOf } from '../model/gauges.ts';

/**
 * An order to a running node: apply its bundle, or also restore files that were changed there; report the logs of its services;
 * or reboot.
 */
export type Order = { readonly id: string; readonly what: 'apply' | 'restore' | 'logs' | 'reboot' };

type Given = { readonly order: Order; readonly taken: () => void };
type Waiting = { readonly take: (given: Given) => void; readonly leave: () => void };

/**
 * Waiting nodes, and orders that wait for a node. It keeps one timer for each waiting node, and an order only as long as its giver
 * stays.
 */
export class Orders {
  readonly #waiting = new Map<string, Waiting>();
  readonly #given = new Map<string, Given[]>();
  #taken = 0;

  /** Nodes that wait for an order, and orders that wait for a node; orders that nodes took since the start. */
  gauges(): GaugesOf<'orders'> {
    const orders = [...this.#given.values()].reduce((sum, some) => sum + some.length, 0);
    return { waiting: this.#waiting.size, orders, taken: this.#taken };
  }

  /**
   * Waits for an order for `node`, at most `seconds`. Resolves to nothing when the time is up, when `gone` aborts, or when the
   * same node asks again.
   */
  async next(node: string, seconds: number, gone: AbortSignal): Promise<Order | undefined> {
    this.#waiting.get(node)?.leave();
    const first = this.#given.get(node)?.shift();
    if (first) {
      this.#taken++;
      first.taken();
      return first.order;
    }
    const over = new AbortController();
    const left = AbortSignal.any([gone, over.signal]);
    const { promise, resolve } = Promise.withResolvers<Order | undefined>();
    const self: Waiting = {
      take: ({ order, taken }) => {
        this.#taken++;
        taken();
        resolve(order);
      },
      leave: () => resolve(undefined),
    };
    this.#waiting.set(node, self);
    after(seconds * 1000, undefined, { signal: left, ref: false }).then(self.leave, self.leave);
    try {
      return await promise;
    } finally {
      if (this.#waiting.get(node) === self) this.#waiting.delete(node);
      over.abort();
    }
  }

  /** Gives the node an order: at once if it waits, else when it asks. Resolves to whether it got it before `signal`. */
  async give(node: string, order: Order, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const one: Given = { order, taken: () => resolve(true) };
    const waiter = this.#waiting.get(node);
    if (waiter) {
      this.#waiting.delete(node);
      waiter.take(one);
      return promise;
    }
    this.#given.set(node, [...(this.#given.get(node) ?? []), one]);
    const takeBack = () => {
      this.#remove(node, one);
      resolve(false);
    };
    signal.addEventListener('abort', takeBack, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', takeBack);
      this.#remove(node, one);
    }
  }

  isWaiting(node: string): boolean {
    return this.#waiting.has(node);
  }

  /** The node has gone, although its connection may still be open: it waits no longer. */
  left(node: string): void {
    this.#waiting.get(node)?.leave();
    this.#waiting.delete(node);
  }

  #remove(node: string, one: Given): void {
    const rest = (this.#given.get(node) ?? []).filter((other) => other !== one);
    if (rest.length === 0) this.#given.delete(node);
    else this.#given.set(node, rest);
  }
}
