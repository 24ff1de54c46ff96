/**
 * Sends TFTP packets with forged senders, as frames; run in the clients' namespace with one argument, a `Flood` as JSON. Prints
 * how many were sent.
 */
import { parseIpv4 } from '../../src/model/ipv4.ts';
import { parseMac } from '../../src/model/mac.ts';
import { openRawSender } from '../../src/net/raw.ts';

export type Flood = {
  /** The interface to send through, and the server. */
  readonly interface: string;
  readonly mac: string;
  readonly server: string;
  readonly port?: number;
  readonly packets: number;
  readonly perSecond: number;
  /** The senders: `%` is a number from 1 to 254 that changes with each packet. */
  readonly senders: readonly string[];
  /** The port that they claim to send from; any if not given. */
  readonly from?: number;
  /** What they send, in hex, in turns. */
  readonly payloads: readonly string[];
};

if (process.argv[1] === import.meta.filename) flood(JSON.parse(process.argv[2] ?? ''));

async function flood(of: Flood): Promise<void> {
  const sender = openRawSender(of.interface);
  const [mac, ip] = [parseMac(of.mac), parseIpv4(of.server)];
  if (mac === undefined || ip === undefined) throw new Error(`${of.mac} ${of.server}`);
  const to = { mac, ip, port: of.port ?? 69 };
  const payloads = of.payloads.map((hex) => Buffer.from(hex, 'hex'));
  const started = performance.now();
  let refused = 0;
  for (let i = 0; i < of.packets; i++) {
    const pattern = of.senders[i % of.senders.length] ?? '';
    const forged = parseIpv4(pattern.replaceAll('%', () => `${1 + Math.floor(Math.random() * 254)}`));
    const payload = payloads[i % payloads.length];
    if (forged === undefined || payload === undefined) throw new Error(pattern);
    const port = of.from ?? 1024 + Math.floor(Math.random() * 60_000);
    if (sender.send(to, { ip: forged, port }, payload) !== undefined) refused++;
    const ahead = (i * 1000) / of.perSecond - (performance.now() - started);
    if (ahead > 2) await new Promise((resolve) => setTimeout(resolve, ahead));
  }
  sender.close();
  console.log(JSON.stringify({ sent: of.packets - refused, seconds: (performance.now() - started) / 1000 }));
}
