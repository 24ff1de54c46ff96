import type { BootClient } from '../boot/client.ts';
import type { ClientStage } from '../model/event.ts';
import { FIRMWARE_BY_TYPE, type Firmware, type VendorClass } from '../model/firmware.ts';
import { text } from '../model/optionKinds.ts';
import { OPTION } from '../model/options.ts';
import { END, type Options, PAD, read } from './optionSet.ts';
import type { DhcpPacket } from './packet.ts';

/** Who is asking: what software speaks, whether it asks to boot, and what it could run. */
export type Client = BootClient & {
  readonly stage: ClientStage;
  readonly asksToBoot: boolean;
  /** What the reply's option 60 must say so that the firmware listens; absent for others. */
  readonly vendorClass?: VendorClass;
};

/** The user class that our own iPXE says, so that a loader is not chained for ever. */
export const OWN_USER_CLASS = 'reveille';

/** Reads who is asking from options 60, 77, 93 and 175. */
export function clientOf(packet: DhcpPacket): Client {
  const { options, chaddr: mac } = packet;
  const vendor = read(options, OPTION.vendorClass) ?? '';
  const vendorClass = vendor.startsWith('PXEClient')
    ? 'PXEClient'
    : vendor.startsWith('HTTPClient')
      ? 'HTTPClient'
      : undefined;
  const classes = userClasses(options.get(OPTION.userClass.code) ?? NOTHING).map((one) => text.decode(one));
  const features = options.get(OPTION.ipxe.code);
  const isIpxe = features !== undefined || classes.includes('iPXE') || classes.includes(OWN_USER_CLASS);
  // Some loaders (U-Boot) say what they could run and no class of vendor; no operating system says that (RFC 4578, section 2.1).
  const isFirmware = vendorClass !== undefined || options.has(OPTION.clientArch.code);
  const stage: ClientStage = isIpxe ? 'ipxe' : isFirmware ? 'firmware' : 'os';
  return {
    mac,
    stage,
    firmware: firmwareOf(options, vendorClass),
    asksToBoot: stage !== 'os' || requests(options, OPTION.bootFile.code),
    ...(vendorClass === undefined ? {} : { vendorClass }),
    ...(isIpxe
      ? {
          ipxe: {
            http: hasFeature(features, IPXE_HTTP),
            menu: hasFeature(features, IPXE_MENU),
            own: classes.includes(OWN_USER_CLASS),
          },
        }
      : {}),
  };
}

/** Whether the client's option 55 asks for an option. */
export function requests(options: Options, code: number): boolean {
  return options.get(OPTION.parameterList.code)?.includes(code) ?? false;
}

const NOTHING = new Uint8Array();
const IPXE_HTTP = 19;
const IPXE_MENU = 39;

/** Option 93 is a list of which the first that we know counts; a client that says PXE and nothing else is BIOS. */
function firmwareOf(options: Options, vendorClass: string | undefined): Firmware {
  const types = read(options, OPTION.clientArch);
  if (!types) return vendorClass === 'PXEClient' ? 'bios' : 'unknown';
  const known = types.find((type) => FIRMWARE_BY_TYPE[type] !== undefined);
  return known === undefined ? 'unknown' : (FIRMWARE_BY_TYPE[known] ?? 'unknown');
}

/** What an option holds in one piece; a longer list of user classes is none that a machine says. */
const LONGEST_OPTION = 255;

/** Option 77 as raw text, and where it is what RFC 3004 has, texts with a length before each, those too. */
export function userClasses(data: Uint8Array): readonly Uint8Array[] {
  const parts = [data];
  if (data.length > LONGEST_OPTION) return parts;
  for (let at = 0; at < data.length; ) {
    const length = data[at] ?? 0;
    if (length === 0 || at + 1 + length > data.length) return [data];
    parts.push(data.subarray(at + 1, at + 1 + length));
    at += 1 + length;
  }
  return parts;
}

/** Option 175 is a list of sub-options (code, length, value); a feature is there where its first byte is not zero. */
function hasFeature(encapsulated: Uint8Array | undefined, feature: number): boolean {
  if (!encapsulated) return false;
  for (let at = 0; at + 1 < encapsulated.length; ) {
    const [code, length = 0] = encapsulated.subarray(at, at + 2);
    if (code === END) return false;
    if (code === PAD) {
      at++;
      continue;
    }
    if (code === feature) return length > 0 && (encapsulated[at + 2] ?? 0) !== 0;
    at += 2 + length;
  }
  return false;
}
