import type { Ipv4 } from '../../model/ipv4.ts';

/** An item of the menu that firmware shows: a boot server by its kind (0: the disk), and where it is if that is known. */
export type PxeItem = { readonly words: string; readonly type: number; readonly server: Ipv4 | undefined };

/** `pxe-prompt`: what firmware says before its menu, and how many seconds it waits. */
export type PxePrompt = { readonly words: string; readonly seconds: number };

/** Sub-options of option 43 (PXE 2.1, table 2-1). */
const DISCOVERY = 6;
const BOOT_SERVERS = 8;
const MENU = 9;
const PROMPT = 10;
const END = 255;
/** Discovery by broadcast and multicast is off; or by multicast alone, where a server has to be looked for. */
const SERVERS_ONLY = 3;
const BROADCAST_TOO = 2;
const LONGEST = 255;

/** Option 43 as dnsmasq makes it of the items that it has no boot file for; `undefined` if they are too much for one option. */
export function pxeMenu(items: readonly PxeItem[], prompt: PxePrompt | undefined): Uint8Array | undefined {
  const menu = items.flatMap(({ type, words }) => {
    const text = Buffer.from(words);
    return [...u16(type), text.length, ...text];
  });
  const servers = items.flatMap(({ type, server }) => (server === undefined ? [] : [...u16(type), 1, ...u32(server)]));
  const isLooking = items.some(({ type, server }) => type !== 0 && server === undefined);
  // Without a prompt: with one item there is nothing to choose; with several firmware waits for a person.
  const waits = [
    prompt?.seconds ?? (items.length > 1 ? LONGEST : 0),
    ...Buffer.from(prompt === undefined ? 'PXE' : prompt.words),
  ];
  const bytes = [
    ...subOption(DISCOVERY, [isLooking ? BROADCAST_TOO : SERVERS_ONLY]),
    ...(prompt === undefined ? subOption(PROMPT, waits) : []),
    ...(servers.length === 0 ? [] : subOption(BOOT_SERVERS, servers)),
    ...subOption(MENU, menu),
    ...(prompt === undefined ? [] : subOption(PROMPT, waits)),
    END,
  ];
  const isTooLong = [menu, servers, waits].some((part) => part.length > LONGEST - 2) || bytes.length > LONGEST;
  return isTooLong || items.some(({ words }) => Buffer.byteLength(words) > LONGEST)
    ? undefined
    : Uint8Array.from(bytes);
}

function subOption(code: number, value: readonly number[]): readonly number[] {
  return [code, value.length, ...value];
}

function u16(value: number): readonly number[] {
  return [(value >> 8) & 255, value & 255];
}

function u32(value: number): readonly number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}
