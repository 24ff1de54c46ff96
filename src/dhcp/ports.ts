import { ReveilleError } from '../errors.ts';
import { type FaultSink, guarded } from '../faults.ts';
import { Seldom } from '../timeline/seldom.ts';
import type { DhcpPort } from './port.ts';

export type PortsOptions = {
  /** Opens a port on the interface of this name, or throws why not. */
  readonly open: (name: string) => DhcpPort;
  /** An interface that was waited for is listened on. */
  readonly opened: () => void;
  /** Why one cannot be listened on though it is there; reported once a minute at most. */
  readonly troubled: (error: unknown) => void;
  readonly faulted: FaultSink;
};

/** How often what cannot be listened on is tried where no change is reported. */
const RETRY_MS = 5000;

/**
 * The interfaces that are listened on. One that is not there, or on which another program holds the port, is waited for. One that
 * was taken away and made anew has another index, and what was tied to the old one hears nothing: it is opened anew.
 */
export class Ports {
  readonly #options: PortsOptions;
  readonly #open = new Map<string, DhcpPort>();
  readonly #seldom = new Seldom();
  /** Why each that is wanted is not open. */
  readonly #lacking = new Map<string, 'interface' | 'port'>();
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: PortsOptions) {
    this.#options = options;
  }

  [Symbol.iterator](): Iterator<DhcpPort> {
    return [...this.#open.values()][Symbol.iterator]();
  }

  /** What keeps an interface that is wanted from being listened on; `undefined` if nothing does. */
  lacks(name: string): 'interface' | 'port' | undefined {
    return this.#lacking.get(name);
  }

  /** Opens what is wanted. Throws PORT_IN_USE, PRIVILEGE_MISSING or SystemCallError; an interface that is not there is waited for. */
  start(wanted: ReadonlySet<string>): void {
    for (const name of wanted) this.#tryOpen(name, true);
    this.#retryLater(wanted);
  }

  /** Listens on these and no others. Returns the names of those that went, or were made anew, since they were opened. */
  follow(wanted: ReadonlySet<string>): ReadonlySet<string> {
    const gone = new Set<string>();
    for (const [name, port] of [...this.#open]) {
      if (wanted.has(name) && port.isCurrent) continue;
      if (wanted.has(name)) gone.add(name);
      this.#open.delete(name);
      port.close();
    }
    for (const name of [...this.#lacking.keys()]) if (!wanted.has(name)) this.#lacking.delete(name);
    for (const name of wanted) if (!this.#open.has(name)) this.#tryOpen(name, false);
    this.#retryLater(wanted);
    return gone;
  }

  /** Takes no more requests; replies can still be sent. */
  stopReceiving(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    for (const port of this.#open.values()) port.stopReceiving();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    for (const port of this.#open.values()) port.close();
    this.#open.clear();
  }

  #tryOpen(name: string, isStart: boolean): void {
    try {
      this.#open.set(name, this.#options.open(name));
      this.#lacking.delete(name);
    } catch (error) {
      const isMissing = error instanceof ReveilleError && error.code === 'INTERFACE_MISSING';
      if (isStart && !isMissing) throw error;
      this.#lacking.set(name, isMissing ? 'interface' : 'port');
      if (!isMissing && this.#seldom.lets(name)) this.#options.troubled(error);
    }
  }

  #retryLater(wanted: ReadonlySet<string>): void {
    clearTimeout(this.#retry);
    if (this.#lacking.size === 0 || this.#closed) return;
    const again = (): void => {
      const before = this.#lacking.size;
      for (const name of this.#lacking.keys()) this.#tryOpen(name, false);
      this.#retryLater(wanted);
      if (this.#lacking.size < before) this.#options.opened();
    };
    this.#retry = setTimeout(guarded(this.#options.faulted, again), RETRY_MS).unref();
  }
}
