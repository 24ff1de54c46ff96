import { type FaultSink, guarded } from '../faults.ts';
import { type Ipv4, UNSPECIFIED } from '../model/ipv4.ts';
import type { Endpoint } from './frame.ts';
import { closeDescriptor, inetAddress, receiveFrom, SO_RCVBUF, setOption, watchReadable } from './libc.ts';
import { bindDescriptor, type UdpOptions } from './udp.ts';

export type ReceiverOptions = UdpOptions & {
  /** What the kernel keeps for us, in bytes; `net.core.rmem_max` is the most that it grants. */
  readonly buffer: number;
  /** Longer datagrams are cut off one byte beyond. */
  readonly longest: number;
  /** Called for each datagram; `bytes` are the callee's to keep. */
  readonly received: (bytes: Buffer, from: Endpoint) => void;
  readonly faulted: FaultSink;
};

/** The kernel's buffer is emptied in one turn as far as this, so that nothing in it waits for what its answers cost. */
const DATAGRAMS_PER_TURN = 1024;

/** A bound UDP socket that only receives, as fast as the kernel hands out: a datagram costs 2 microseconds. */
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

  /** Receives no more; the port stays taken. */
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
