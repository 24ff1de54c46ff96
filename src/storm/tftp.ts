import { formatIpv4, type Ipv4 } from '../model/ipv4.ts';
import { UdpPort } from '../net/udp.ts';
import { decode, encodeAck, encodeRequest } from '../tftp/packet.ts';
import { StormFailure } from './steps.ts';

const PORT = 69;
/** What PXE ROMs ask for. */
const BLOCK = 1456;
const WAIT_MS = 1000;
const TRIES = 10;

/**
 * Fetches a file by TFTP in lock-step as firmware does, and drops its bytes (RFC 1350, 2348). Gives their number. Throws StormFailure, or what `signal` is
 * aborted with.
 */
export async function fetchByTftp(own: Ipv4, server: Ipv4, file: string, signal: AbortSignal): Promise<number> {
  const port = await UdpPort.open({ address: own, port: 0 });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const aborted = () => reject(signal.reason);
  signal.addEventListener('abort', aborted, { once: true });
  const request = encodeRequest('rrq', file, 'octet', [
    { name: 'blksize', value: `${BLOCK}` },
    { name: 'tsize', value: '0' },
  ]);
  let [last, to, size, next, bytes, tries] = [request, PORT, 512, 1, 0, 0];
  let announced: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  const send = (packet: Buffer): void => {
    last = packet;
    port.send(packet, server, to);
  };
  const again = (): void => {
    if (++tries > TRIES) reject(new StormFailure('no-answer', `TFTP: ${formatIpv4(server)} is silent`));
    else {
      port.send(last, server, to);
      timer?.refresh();
    }
  };
  port.socket.on('error', () => {});
  port.socket.on('message', (message: Buffer, from) => {
    if (to === PORT) to = from.port;
    else if (from.port !== to) return;
    const packet = decode(message);
    if (packet.kind === 'error')
      return reject(new StormFailure('tftp-error', `TFTP: ${file}: ${packet.code} ${packet.message}`));
    if (packet.kind === 'oack' && next === 1) {
      for (const { name, value } of packet.options) {
        if (name.toLowerCase() === 'blksize') size = Number(value);
        if (name.toLowerCase() === 'tsize') announced = Number(value);
      }
      send(encodeAck(0));
    } else if (packet.kind === 'data') {
      if (packet.block !== (next & 0xffff)) return;
      send(encodeAck(next++));
      bytes += packet.data.length;
      if (packet.data.length < size) return resolve(bytes);
    } else return;
    tries = 0;
    timer?.refresh();
  });
  try {
    signal.throwIfAborted();
    send(request);
    timer = setTimeout(again, WAIT_MS);
    const got = await promise;
    if (announced !== undefined && announced !== got)
      throw new StormFailure('incomplete', `TFTP: ${file}: ${got} bytes of ${announced}`);
    return got;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', aborted);
    await port.close();
  }
}
