import { type FaultSink, guarded } from '../faults.ts';
import { type Ipv4, UNSPECIFIED } from '../model/ipv4.ts';
import type { Endpoint } from './frame.ts';
import { closeDescriptor, inetAddress, receiveFrom, SO_RCVBUF, setOption, watchReadable } from './libc.ts';
import { bindDescriptor, type UdpOptions } from './udp.ts';

export type ReceiverOptions = UdpOptions & {
  /** The receive buffer that is asked of the kernel, in bytes; `net.core.rmem_max` is the most that it grants. */
  readonly buffer: number;
  /** Longer datagrams are truncated one byte above this. */
  readonly longest: number;
  /** Called for each datagram; the callee keeps `bytes`. */
  readonly received: (bytes: Buffer, from: Endpoint) => void;
  readonly faulted: FaultSink;
};

/**
 * At most this many datagrams are taken from the kernel's buffer in one turn, so that they do not wait for each other's answers.
 */
const DATAGRAMS_PER_TURN = 1024;

/** A bound UDP socket that only receives, at 2 microseconds for a datagram. */
export class UdpReceiver {
  readonly #fd: number;
  readonly #watch: { stop(): void };
  readonly #options: ReceiverOptions;
  readonly #bytes: Uint8Array;
  readonly #from = inetAddress(UNSPECIFIED, 0);
  readonly #view = new DataView(this.#from.buffer);
  #closed = false;

  /** Throws PORT_IN_USE, PRIVILEGE_MISSING or INTERFACE_MISSING. */
  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.#bytes = new Uint8Array(options.longest + 1);
    this.#fd = bindDescriptor(options);
    try {
      setOption(this.#fd, SO_RCVBUF, options.buffer);
      this.#watch = watchReadable(
        this.#fd,
        guarded(options.faulted, () => this.#read()),
      );
    } catch (error) {
      closeDescriptor(this.#fd);
      throw error;
    }
  }

  /** Stops receiving; the port stays bound. */
  stop(): void {
    this.#watch.stop();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.stop();
    closeDescriptor(this.#fd);
  }

  #read(): void {
    for (let i = 0; i < DATAGRAMS_PER_TURN && !this.#closed; i++) {
      const length = receiveFrom(this.#fd, this.#bytes, this.#from);
      if (length < 0) return;
      const from = { ip: this.#view.getUint32(4) as Ipv4, port: this.#view.getUint16(2) };
      this.#options.received(Buffer.from(this.#bytes.subarray(0, length)), from);
    }
  }
}
