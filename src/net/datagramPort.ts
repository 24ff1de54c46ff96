import type { Ipv4 } from '../model/ipv4.ts';
import type { MappedFile } from './mappedFile.ts';
import type { UdpOptions } from './udp.ts';

/** A datagram that came. The object and its bytes are used again after the call that hands it over. */
export type Datagram = {
  readonly ip: Ipv4;
  readonly port: number;
  /** The first four bytes as one number; 0 where there are fewer. */
  readonly head: number;
  readonly bytes: Uint8Array;
};

/** What comes to a port. Neither function may throw. */
export type DatagramReceiver = { onDatagram(datagram: Datagram): void; onTrouble(error: Error): void };

/** A file in numbered blocks, the first is 1. */
export type NumberedBlocks = {
  readonly blockSize: number;
  /** The file, if the blocks are sent from its mapping. */
  readonly mapped?: MappedFile;
  /** Copies block `n` to `into` at `at` and returns its length; -1 while it is not in memory. */
  copy(n: number, into: Uint8Array, at: number): number;
};

/**
 * The kernel did not accept block `first`, nor those after it: `full`, it may accept them later; `shortened`, the file has no such bytes
 * any more.
 */
export type Refused = (first: number, why: 'full' | 'shortened') => void;

/** A bound UDP port. What the kernel does not accept at once is dropped: nothing queues in this process. Nothing throws. */
export type DatagramPort = {
  /** Sends the bytes, which may be used again at once. */
  send(bytes: Uint8Array, ip: Ipv4, port: number): void;
  /** Sends blocks `first` to `last` as DATA packets of TFTP (RFC 1350). `refused` is called at once or before the event loop's next turn. */
  sendBlocks(blocks: NumberedBlocks, first: number, last: number, to: Destination, refused: Refused): void;
  close(): Promise<void>;
};

export type Destination = { readonly ip: Ipv4; readonly port: number };

export type PortOptions = UdpOptions & {
  /** Whether it serves many clients, and not one transfer. */
  readonly shared: boolean;
};

/** Opens UDP ports, which share what it takes to receive and send in batches. */
export type Datagrams = {
  /** Rejects like `openUdp`. */
  open(options: PortOptions, receiver: DatagramReceiver): Promise<DatagramPort>;
  /** Maps a regular file of this size, whose descriptor becomes the mapping's; `undefined` where that cannot be, and it stays the caller's. */
  map(file: OpenFile): MappedFile | undefined;
  close(): void;
};

/** An open file, and how large it is. */
export type OpenFile = {
  readonly fd: number;
  readonly size: number;
  /** As `FileHandle.read`. */
  read(into: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  close(): Promise<void>;
};

/** A DATA packet's bytes before those of the file. */
export const BLOCK_HEADER = 4;
const DATA = 3;
/** The largest block of RFC 2348. */
export const LARGEST_BLOCK = 65464;

/** Writes the first four bytes of a DATA packet; `block` is taken modulo 65536. */
export function writeBlockHeader(into: Uint8Array, at: number, block: number): void {
  into[at] = 0;
  into[at + 1] = DATA;
  into[at + 2] = (block >>> 8) & 0xff;
  into[at + 3] = block & 0xff;
}

/** Room for what comes to a shared port while the event loop is busy, and for what waits for ARP. The kernel may give less. */
export const SHARED_BUFFER_BYTES = 1024 * 1024;
