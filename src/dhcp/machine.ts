import type { Machine } from '../model/event.ts';
import { OPTION } from '../model/options.ts';
import { CIRCUIT_ID, REMOTE_ID } from './classes.ts';
import type { Client } from './client.ts';
import { read } from './optionSet.ts';
import type { DhcpPacket } from './packet.ts';
import { subOption } from './relay.ts';

/** Text from the wire is kept no longer than this. */
const LONGEST_TEXT = 128;

/** What a machine says of itself in its request, each text short and without control characters. */
export function machineOf(request: DhcpPacket, { firmware, stage }: Client): Machine {
  const { options } = request;
  const hostname = hostnameOf(request);
  const vendorClass = printable(read(options, OPTION.vendorClass));
  const architectures = read(options, OPTION.clientArch)?.slice(0, 8);
  const uuid = uuidText(options.get(OPTION.clientUuid.code));
  const relay = options.get(OPTION.relayAgent.code);
  const circuitId = relay && portText(subOption(relay, CIRCUIT_ID));
  const remoteId = relay && portText(subOption(relay, REMOTE_ID));
  return {
    ...(hostname === undefined ? {} : { hostname }),
    ...(vendorClass === undefined ? {} : { vendorClass }),
    ...(architectures === undefined ? {} : { architectures }),
    ...(stage === 'os' || firmware === 'unknown' ? {} : { firmware }),
    ...(uuid === undefined ? {} : { uuid }),
    ...(circuitId === undefined ? {} : { circuitId }),
    ...(remoteId === undefined ? {} : { remoteId }),
  };
}

/** The name that a machine gives itself (option 12). */
export function hostnameOf({ options }: DhcpPacket): string | undefined {
  return printable(read(options, OPTION.hostname));
}

function printable(text: string | undefined): string | undefined {
  const clean = text?.replace(/[^\x20-\x7e]/g, '?').slice(0, LONGEST_TEXT);
  return clean === '' ? undefined : clean;
}

/** RFC 4578: a zero byte, then the 16 bytes of the UUID. */
function uuidText(bytes: Uint8Array | undefined): string | undefined {
  if (bytes?.length !== 17 || bytes[0] !== 0) return undefined;
  const hex = Buffer.from(bytes.subarray(1)).toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Switches write text or bytes as they please. */
function portText(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined || bytes.length === 0) return undefined;
  const short = bytes.subarray(0, LONGEST_TEXT);
  const isText = short.every((byte) => byte >= 0x20 && byte < 0x7f);
  return isText
    ? Buffer.from(short).toString('latin1')
    : Buffer.from(short)
        .toString('hex')
        .replace(/..(?!$)/g, '$&:');
}
