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
  readonly #packet = Buffer.allocUnsafeSlow(BLOCK_HEADER + LARGEST_BLOCK);

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
    for (let n = first; n <= last; n++) {
      const length = blocks.copy(n, this.#packet, BLOCK_HEADER);
      writeBlockHeader(this.#packet, 0, n);
      if (length >= 0 && this.#port.send(this.#packet, ip, port, BLOCK_HEADER + length)) continue;
      refused(n, 'full');
      return;
    }
  }

  close(): Promise<void> {
    return this.#port.close();
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
