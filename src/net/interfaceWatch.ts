import type { Ipv4 } from '../model/ipv4.ts';
import { type Interfaces, seeInterfaces } from './interfaces.ts';
import { SystemCallError } from './libc.ts';

/**
 * This machine's interfaces and their addresses as they were last seen. Reading them costs nothing; looking anew takes a descriptor,
 * and where there is none left, what was seen stays.
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

  /** Looks anew; whether something else is seen than before. */
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
