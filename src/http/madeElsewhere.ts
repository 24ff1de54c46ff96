import type { BootFile } from '../boot/source.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import { unpackError } from '../threads/messages.ts';
import type { BulkShape, Made } from './bulkShape.ts';

/** Files that another thread makes when they are asked for. Who asks bounds how many are asked for at once. */
export class MadeElsewhere {
  readonly #send: (message: BulkShape['fromThread']) => void;
  readonly #asked = new Map<number, PromiseWithResolvers<BootFile | undefined>>();
  #asks = 0;

  constructor(send: (message: BulkShape['fromThread']) => void) {
    this.#send = send;
  }

  ask(name: string, client: Ipv4): Promise<BootFile | undefined> {
    const asked = Promise.withResolvers<BootFile | undefined>();
    const id = ++this.#asks;
    this.#asked.set(id, asked);
    this.#send({ kind: 'make', id, name, client });
    return asked.promise;
  }

  settle(id: number, made: Made): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if ('error' in made) asked?.reject(unpackError(made.error));
    else asked?.resolve(made.file);
  }
}
