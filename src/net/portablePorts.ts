import { type Ipv4, parseIpv4 } from '../model/ipv4.ts';
import {
  BLOCK_HEADER,
  type DatagramPort,
  type DatagramReceiver,
  type Datagrams,
  type Destination,
  LARGEST_BLOCK,
  type NumberedBlocks,
  type PortOptions,
  type Refused,
  SHARED_BUFFER_BYTES,
  writeBlockHeader,
} from './datagramPort.ts';
import { UdpPort } from './udp.ts';

/** Ports of `dgram`. */
export class PortableDatagrams implements Datagrams {
  readonly #packet = newPacket();

  async open(options: PortOptions, receiver: DatagramReceiver): Promise<DatagramPort> {
    const port = await UdpPort.open(options);
    port.socket.on('message', (bytes: Buffer, from: { address: string; port: number }) => {
      const ip = parseIpv4(from.address);
      const head = bytes.length < 4 ? 0 : bytes.readUInt32BE();
      if (ip !== undefined) receiver.onDatagram({ ip, port: from.port, head, bytes });
    });
    port.socket.on('error', (error: Error) => receiver.onTrouble(error));
    if (options.shared) enlargeBuffers(port);
    return new PortablePort(port, this.#packet);
  }

  map(): undefined {
    return undefined;
  }

  close(): void {}
}

class PortablePort implements DatagramPort {
  readonly #port: UdpPort;
  readonly #packet: Buffer;

  constructor(port: UdpPort, packet: Buffer) {
    this.#port = port;
    this.#packet = packet;
  }

  send(bytes: Uint8Array, ip: Ipv4, port: number): void {
    this.#port.send(bytes, ip, port);
  }

  sendBlocks(blocks: NumberedBlocks, first: number, last: number, { ip, port }: Destination, refused: Refused): void {
    const accepts = (packet: Buffer, length: number) => this.#port.send(packet, ip, port, length);
    sendOneByOne(accepts, this.#packet, blocks, first, last, refused);
  }

  close(): Promise<void> {
    return this.#port.close();
  }
}

/** Room for the largest DATA packet. */
export function newPacket(): Buffer {
  return Buffer.allocUnsafeSlow(BLOCK_HEADER + LARGEST_BLOCK);
}

/** Makes each block's packet in `packet` and sends it by `accepts`, until that says no. */
export function sendOneByOne(
  accepts: (packet: Buffer, length: number) => boolean,
  packet: Buffer,
  blocks: NumberedBlocks,
  first: number,
  last: number,
  refused: Refused,
): void {
  for (let n = first; n <= last; n++) {
    const length = blocks.copy(n, packet, BLOCK_HEADER);
    writeBlockHeader(packet, 0, n);
    if (length >= 0 && accepts(packet, BLOCK_HEADER + length)) continue;
    refused(n, 'full');
    return;
  }
}

function enlargeBuffers({ socket }: UdpPort): void {
  try {
    socket.setRecvBufferSize(SHARED_BUFFER_BYTES);
    socket.setSendBufferSize(SHARED_BUFFER_BYTES);
  } catch {
    // The kernel's own sizes do, if less well.
  }
}
