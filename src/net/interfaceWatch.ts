import { type InterfaceAddress, interfaceAddresses } from './interfaces.ts';
import { SystemCallError } from './libc.ts';

type Interfaces = ReadonlyMap<string, readonly InterfaceAddress[]>;

/**
 * This machine's interfaces and their addresses as they were last seen. Reading them costs nothing; looking anew takes a descriptor,
 * and where there is none left, what was seen stays.
 */
export class InterfaceWatch {
  readonly #list: () => Interfaces;
  #seen: Interfaces;
  #picture: string;

  /** Throws SystemCallError if the interfaces cannot be listed now. */
  constructor(list: () => Interfaces = interfaceAddresses) {
    this.#list = list;
    this.#seen = list();
    this.#picture = pictureOf(this.#seen);
  }

  get addresses(): Interfaces {
    return this.#seen;
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

function pictureOf(interfaces: Interfaces): string {
  return JSON.stringify([...interfaces]);
}
