import type { Ipv4 } from '../../src/model/ipv4.ts';
import type { Mac } from '../../src/model/mac.ts';
import type { Random } from '../rig/random.ts';

/** What the fuzzers send. All of it is plain JSON, so that a finding's file can be played again; bytes are in base64. */

export type DhcpInput = {
  readonly protocol: 'dhcp';
  readonly wire: 'rack' | 'guests';
  readonly fromMac: Mac;
  readonly from: Ipv4;
  readonly fromPort: number;
  readonly to: Ipv4;
  readonly toPort: number;
  /** To the server's Ethernet address instead of all. */
  readonly unicast: boolean;
  readonly payload: string;
  /** Take what is offered, so that leases come and go. */
  readonly follow: boolean;
};

/** `bytes` go to port 69, or to the port from which the server answered last; an `ack` acknowledges its last block plus so many. */
export type TftpStep = {
  readonly to: 69 | 'transfer' | 'random';
  readonly bytes?: string;
  readonly ack?: number;
  readonly waitMs: number;
};

export type TftpInput = {
  readonly protocol: 'tftp';
  readonly from: Ipv4;
  readonly fromPort: number;
  readonly steps: readonly TftpStep[];
};

export type HttpInput = {
  readonly protocol: 'http';
  /** The machines' port, or the operators' Unix socket. */
  readonly to: 'machines' | 'operators';
  readonly from: string;
  /** `%TOKEN%` in them stands for the token that the server gave the address which asks. */
  readonly parts: readonly { readonly bytes: string; readonly waitMs: number }[];
  /** What the client does after the last part: wait for the answer, close its half, reset the connection. */
  readonly end: 'wait' | 'half' | 'reset';
};

export type Input = DhcpInput | TftpInput | HttpInput;
export type Protocol = Input['protocol'];

export const PROTOCOLS: readonly Protocol[] = ['dhcp', 'tftp', 'http'];

/** What an input made happen: each key names one kind of behaviour. */
export type Heard = (key: string, input?: Input) => void;

/** One protocol's fuzzer. */
export type Fuzzer<I extends Input> = {
  readonly protocol: I['protocol'];
  readonly seeds: readonly I[];
  /** How many inputs are on their way at once. */
  readonly lanes: number;
  /** Another input made of one or two of the corpus. */
  mutate(input: I, other: I, random: Random): I;
  /** Sends an input; resolves when its answers are in or its time is up. */
  play(input: I, random: Random): Promise<void>;
  close(): void;
};

/** Text of a server as a class: numbers, addresses, names in quotes and long words are the same for all. */
export function shapeOf(text: string): string {
  return text
    .replace(/([0-9a-f]{2}:){5}[0-9a-f]{2}/gi, 'MAC')
    .replace(/[0-9]+(\.[0-9]+){3}/g, 'IP')
    .replace(/"[^"]*"|'[^']*'/g, 'QUOTED')
    .replace(/[^\x20-\x7e]+/g, '~')
    .replace(/[0-9]+/g, '#')
    .replace(/\S{24,}/g, 'LONG')
    .slice(0, 120);
}

/** How long an answer took, as a power of two: 64 ms, 128 ms, ... Quicker answers are all the same. */
export function slowness(ms: number): string | undefined {
  return ms < 64 ? undefined : `slower than ${2 ** Math.floor(Math.log2(ms))} ms`;
}
