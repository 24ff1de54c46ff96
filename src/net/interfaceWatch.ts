import type { Ipv4 } from '../model/ipv4.ts';
import { type Interfaces, seeInterfaces } from './interfaces.ts';
import { SystemCallError } from './libc.ts';

/**
 * This machine's interfaces and their addresses as last read. Reading them here costs nothing; `look` takes a descriptor, and if
 * none is left, the last result stays.
 */
export class InterfaceWatch {
  readonly #list: () => Interfaces;
  #seen: Interfaces;
  #picture: string;

  /** Throws SystemCallError if the interfaces cannot be listed now. */
  constructor(list: () => Interfaces = seeInterfaces) {
    this.#list = list;
    this.#seen = list();
    this.#picture = pictureOf(this.#seen);
  }

  get addresses(): Interfaces['addresses'] {
    return this.#seen.addresses;
  }

  get numbers(): Interfaces['numbers'] {
    return this.#seen.numbers;
  }

  /** Whether an interface of this machine has the address. */
  has(ip: Ipv4): boolean {
    return [...this.#seen.addresses.values()].some((addresses) => addresses.some((one) => one.ip === ip));
  }

  /** Reads the interfaces again; whether the result differs from the last one. */
  look(): boolean {
    const seen = this.#listed();
    const picture = pictureOf(seen);
    if (picture === this.#picture) return false;
    this.#seen = seen;
    this.#picture = picture;
    return true;
  }

  #listed(): Interfaces {
    try {
      return this.#list();
    } catch (error) {
      if (error instanceof SystemCallError) return this.#seen;
      throw error;
    }
  }
}

function pictureOf({ addresses, numbers }: Interfaces): string {
  return JSON.stringify([[...addresses], [...numbers]]);
}
