import {
  AF_PACKET,
  bindSocket,
  closeDescriptor,
  interfaceIndex,
  linkAddress,
  makeSocket,
  receive,
  SOCK_RAW,
  sendTo,
  setOption,
  watchReadable,
} from '../../src/net/libc.ts';

const ETH_P_ALL = 3;
const SO_RCVBUFFORCE = [1, 33] as const;
const SO_RCVBUF = [1, 8] as const;
const PACKET_IGNORE_OUTGOING = [263, 23] as const;
const RECEIVE_BUFFER = 32 * 1024 * 1024;
const LONGEST_FRAME = 65_600;
/** So many frames are read in one turn of the event loop. */
const AT_ONCE = 512;

/** Whole Ethernet frames on one interface of this namespace. */
export class Wire {
  readonly #fd: number;
  readonly #to: Uint8Array;
  readonly #watch: { stop(): void } | undefined;
  readonly #into = Buffer.alloc(LONGEST_FRAME);

  /** `onFrame` gets what comes in through the interface, and with `outgoing` what leaves there; the bytes are its own. */
  constructor(interfaceName: string, onFrame?: (frame: Buffer) => void, options: { readonly outgoing?: boolean } = {}) {
    const protocol = onFrame ? ETH_P_ALL : 0;
    this.#fd = makeSocket(AF_PACKET, SOCK_RAW, protocol << 8);
    const index = interfaceIndex(this.#fd, interfaceName);
    if (index === 0) throw new Error(`there is no interface ${interfaceName}`);
    this.#to = linkAddress(index, protocol);
    bindSocket(this.#fd, this.#to);
    if (!onFrame) return;
    if (!options.outgoing) setOption(this.#fd, PACKET_IGNORE_OUTGOING, 1);
    try {
      setOption(this.#fd, SO_RCVBUFFORCE, RECEIVE_BUFFER);
    } catch {
      // An ordinary user's namespace has the machine's limit.
      setOption(this.#fd, SO_RCVBUF, RECEIVE_BUFFER);
    }
    this.#watch = watchReadable(this.#fd, () => {
      for (let i = 0; i < AT_ONCE; i++) {
        const length = receive(this.#fd, this.#into);
        if (length < 0) return;
        onFrame(Buffer.from(this.#into.subarray(0, length)));
      }
    });
  }

  /** Whether the kernel took the frame. */
  send(frame: Uint8Array): boolean {
    return sendTo(this.#fd, frame, frame.length, this.#to);
  }

  close(): void {
    this.#watch?.stop();
    closeDescriptor(this.#fd);
  }
}
