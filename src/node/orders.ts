import { setTimeout as after } from 'node:timers/promises';

/**
 * An order to a running node: apply its bundle, or also restore files that were changed there; report the logs of its services;
 * or reboot.
 */
export type Order = { readonly id: string; readonly what: 'apply' | 'restore' | 'logs' | 'reboot' };

/** Waiting nodes, and orders that wait for a node. */
export type Orders = {
  /**
   * Waits for an order for `node`, at most `seconds`. Resolves to nothing when the time is up, when `gone` aborts, or when the
   * same node asks again.
   */
  next(node: string, seconds: number, gone: AbortSignal): Promise<Order | undefined>;
  /** Gives the node an order: at once if it waits, else when it asks. Resolves to whether it got it before `signal`. */
  give(node: string, order: Order, signal: AbortSignal): Promise<boolean>;
  isWaiting(node: string): boolean;
  /** The node has gone, although its connection may still be open: it waits no longer. */
  left(node: string): void;
};

type Given = { readonly order: Order; readonly taken: () => void };

/** Keeps one timer for each waiting node, and an order only as long as its giver stays. */
export function createOrders(): Orders {
  const waiting = new Map<string, { readonly take: (given: Given) => void; readonly leave: () => void }>();
  const given = new Map<string, Given[]>();

  return {
    async next(node, seconds, gone) {
      waiting.get(node)?.leave();
      const first = given.get(node)?.shift();
      if (first) {
        first.taken();
        return first.order;
      }
      const over = new AbortController();
      const left = AbortSignal.any([gone, over.signal]);
      const { promise, resolve } = Promise.withResolvers<Order | undefined>();
      const self = {
        take: ({ order, taken }: Given) => {
          taken();
          resolve(order);
        },
        leave: () => resolve(undefined),
      };
      waiting.set(node, self);
      after(seconds * 1000, undefined, { signal: left, ref: false }).then(self.leave, self.leave);
      try {
        return await promise;
      } finally {
        if (waiting.get(node) === self) waiting.delete(node);
        over.abort();
      }
    },

    async give(node, order, signal) {
      if (signal.aborted) return false;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const one: Given = { order, taken: () => resolve(true) };
      const waiter = waiting.get(node);
      if (waiter) {
        waiting.delete(node);
        waiter.take(one);
        return promise;
      }
      given.set(node, [...(given.get(node) ?? []), one]);
      const takeBack = () => {
        const rest = (given.get(node) ?? []).filter((other) => other !== one);
        if (rest.length === 0) given.delete(node);
        else given.set(node, rest);
        resolve(false);
      };
      signal.addEventListener('abort', takeBack, { once: true });
      try {
        return await promise;
      } finally {
        signal.removeEventListener('abort', takeBack);
        if (given.get(node)?.length === 0) given.delete(node);
      }
    },

    isWaiting: (node) => waiting.has(node),
    left(node) {
      waiting.get(node)?.leave();
      waiting.delete(node);
    },
  };
}
