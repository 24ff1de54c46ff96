import type { Ipv4 } from '../model/ipv4.ts';
import {
  BLOCK_HEADER,
  type Datagram,
  type DatagramPort,
  type DatagramReceiver,
  type Datagrams,
  type Destination,
  type NumberedBlocks,
  type OpenFile,
  type PortOptions,
  type Refused,
  SHARED_BUFFER_BYTES,
  writeBlockHeader,
} from './datagramPort.ts';
import { closeDescriptor, SO_RCVBUF, SO_SNDBUF, setOption } from './libc.ts';
import { MappedFile } from './mappedFile.ts';
import type { Native, NativeBatch } from './native.ts';
import { bindDescriptor } from './udp.ts';

// The records of native/udp.c, in words of 32 bits.
const RX_WORDS = 6;
const TX_WORDS = 9;
const TX_SENT = 7;
const TX_ERROR = 8;
const DATAGRAM_BYTES = 2048;
/** Instead of a mapping: packets of the arena. */
const PACKETS = 0xffffffff;
const MOST_SOCKETS = 65_536;
const EFAULT = 14;

type Open = { readonly receiver: DatagramReceiver };

/** What is to be done with a record that was refused. */
type Queued = { readonly first: number; readonly refused: Refused } | undefined;

/**
 * UDP ports of the addon, all of one thread: what came to any of them is taken in by one call, and what they send in answer leaves by
 * one call. Blocks of a mapped file leave without a copy, a window of them as one datagram that the kernel cuts into packets.
 */
export class UdpBatch implements Datagrams {
  readonly #native: Native;
  readonly #batch: NativeBatch;
  readonly #received: Uint32Array;
  readonly #datagrams: Uint8Array;
  readonly #toSend: Uint32Array;
  readonly #arena: Uint8Array;
  readonly #mostQueued: number;
  readonly #open: (Open | undefined)[] = [];
  readonly #free: number[] = [];
  /** Sockets that were closed in this turn: what has been received for them is still to come. */
  readonly #freed: number[] = [];
  readonly #queued: Queued[] = [];
  #count = 0;
  #arenaAt = 0;
  #inTurn = false;
  #flushes = false;
  #closed = false;

  constructor(native: Native) {
    this.#native = native;
    const made = native.udpOpen((count) => this.#turn(count));
    this.#batch = made.handle;
    this.#received = new Uint32Array(made.received);
    this.#datagrams = new Uint8Array(made.datagrams);
    this.#toSend = new Uint32Array(made.queued);
    this.#arena = new Uint8Array(made.arena);
    this.#mostQueued = Math.floor(this.#toSend.length / TX_WORDS);
  }

  async open(options: PortOptions, receiver: DatagramReceiver): Promise<DatagramPort> {
    const fd = bindDescriptor(options);
    const slot = this.#free.pop() ?? this.#open.length;
    if (options.shared) enlargeBuffers(fd);
    const error = slot < MOST_SOCKETS ? this.#native.udpAdd(this.#batch, slot, fd, options.shared ? 1 : 0) : EMFILE;
    if (error !== 0) {
      closeDescriptor(fd);
      throw Object.assign(new Error(`a socket cannot be watched (errno ${error})`), { code: 'EMFILE' });
    }
    this.#open[slot] = { receiver };
    return new BatchPort(this, slot);
  }

  map(file: OpenFile): MappedFile | undefined {
    const id = this.#native.udpMap(this.#batch, file.fd, file.size);
    if (id < 0) return undefined;
    return new MappedFile(id, file, {
      populate: (of, from, length) => this.#native.udpPopulate(this.#batch, of, from, length),
      unmap: (of) => this.#native.udpUnmap(this.#batch, of),
    });
  }

  close(): void {
    if (this.#closed) return;
    this.flush();
    this.#closed = true;
    this.#native.udpClose(this.#batch);
  }

  /** For `BatchPort`: one packet. */
  send(slot: number, bytes: Uint8Array, { ip, port }: Destination): void {
    if (bytes.length === 0 || bytes.length > this.#arena.length) return;
    const at = this.#reserve(bytes.length);
    this.#arena.set(bytes, at);
    this.#queue(slot, ip, port, PACKETS, at, bytes.length, bytes.length, undefined);
  }

  /** For `BatchPort`: blocks of a mapping, or packets made of copies. */
  sendBlocks(
    slot: number,
    blocks: NumberedBlocks,
    first: number,
    last: number,
    { ip, port }: Destination,
    refused: Refused,
  ): void {
    const { mapped, blockSize } = blocks;
    if (mapped !== undefined) {
      this.#queue(slot, ip, port, mapped.id, first, last - first + 1, blockSize, { first, refused });
      return;
    }
    const packet = BLOCK_HEADER + blockSize;
    let at = this.#reserve((last - first + 1) * packet);
    const from = at;
    for (let n = first; n <= last; n++) {
      const length = blocks.copy(n, this.#arena, at + BLOCK_HEADER);
      if (length < 0) break;
      writeBlockHeader(this.#arena, at, n);
      at += BLOCK_HEADER + length;
    }
    this.#arenaAt = at;
    if (at > from) this.#queue(slot, ip, port, PACKETS, from, at - from, packet, { first, refused });
  }

  /** For `BatchPort`: closes the socket, after what it was given to send has left. */
  remove(slot: number): void {
    if (this.#closed || this.#open[slot] === undefined) return;
    this.flush();
    this.#open[slot] = undefined;
    this.#native.udpRemove(this.#batch, slot);
    if (this.#inTurn) this.#freed.push(slot);
    else this.#free.push(slot);
  }

  /** Sends what is queued. */
  flush(): void {
    const count = this.#count;
    if (count === 0 || this.#closed) return;
    this.#count = 0;
    this.#arenaAt = 0;
    if (this.#native.udpSend(this.#batch, count) > 0) this.#reportRefused(count);
  }

  #reportRefused(count: number): void {
    // What is called here may queue more, over these records.
    const refused: (readonly [NonNullable<Queued>, number, 'full' | 'shortened'])[] = [];
    for (let i = 0; i < count; i++) {
      const error = this.#toSend[i * TX_WORDS + TX_ERROR] ?? 0;
      const queued = this.#queued[i];
      if (error === 0 || queued === undefined) continue;
      refused.push([queued, this.#toSend[i * TX_WORDS + TX_SENT] ?? 0, error === EFAULT ? 'shortened' : 'full']);
    }
    for (const [queued, sent, why] of refused) queued.refused(queued.first + sent, why);
  }

  /** One turn of the event loop: hands out what came, then sends what was answered. */
  #turn(count: number): void {
    this.#inTurn = true;
    try {
      for (let i = 0; i < count; i++) this.#handOut(i);
    } finally {
      this.#inTurn = false;
      this.flush();
      if (this.#freed.length > 0) this.#free.push(...this.#freed.splice(0));
    }
  }

  #handOut(i: number): void {
    const at = i * RX_WORDS;
    const received = this.#received;
    const open = this.#open[received[at] ?? 0];
    if (open === undefined) return;
    const error = received[at + 5] ?? 0;
    if (error !== 0) {
      open.receiver.onTrouble(new Error(`the socket failed (errno ${error})`));
      return;
    }
    const from = i * DATAGRAM_BYTES;
    const length = received[at + 3] ?? 0;
    const datagrams = this.#datagrams;
    const datagram: Datagram = {
      ip: (received[at + 1] ?? 0) as Ipv4,
      port: received[at + 2] ?? 0,
      head: received[at + 4] ?? 0,
      get bytes() {
        return datagrams.subarray(from, from + length);
      },
    };
    open.receiver.onDatagram(datagram);
  }

  /** Room in the arena for so many bytes, which the caller has checked to fit. */
  #reserve(bytes: number): number {
    if (this.#arenaAt + bytes > this.#arena.length || this.#count >= this.#mostQueued) this.flush();
    const at = this.#arenaAt;
    this.#arenaAt += bytes;
    return at;
  }

  #queue(
    slot: number,
    ip: Ipv4,
    port: number,
    map: number,
    first: number,
    count: number,
    size: number,
    queued: Queued,
  ): void {
    // Packets of the arena have their place in the list already: `#reserve` made it.
    if (this.#count >= this.#mostQueued) this.flush();
    const toSend = this.#toSend;
    const at = this.#count * TX_WORDS;
    toSend[at] = slot;
    toSend[at + 1] = ip;
    toSend[at + 2] = port;
    toSend[at + 3] = map;
    toSend[at + 4] = first;
    toSend[at + 5] = count;
    toSend[at + 6] = size;
    this.#queued[this.#count++] = queued;
    if (this.#inTurn || this.#flushes) return;
    this.#flushes = true;
    queueMicrotask(() => {
      this.#flushes = false;
      this.flush();
    });
  }
}

const EMFILE = 24;

class BatchPort implements DatagramPort {
  readonly #batch: UdpBatch;
  readonly #slot: number;
  #closed = false;

  constructor(batch: UdpBatch, slot: number) {
    this.#batch = batch;
    this.#slot = slot;
  }

  send(bytes: Uint8Array, ip: Ipv4, port: number): void {
    if (!this.#closed) this.#batch.send(this.#slot, bytes, { ip, port });
  }

  sendBlocks(blocks: NumberedBlocks, first: number, last: number, to: Destination, refused: Refused): void {
    if (!this.#closed) this.#batch.sendBlocks(this.#slot, blocks, first, last, to, refused);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#batch.remove(this.#slot);
  }
}

function enlargeBuffers(fd: number): void {
  try {
    setOption(fd, SO_RCVBUF, SHARED_BUFFER_BYTES);
    setOption(fd, SO_SNDBUF, SHARED_BUFFER_BYTES);
  } catch {
    // The kernel's own sizes do, if less well.
  }
}
