/** An Ethernet address in its one canonical spelling: lower-case hex pairs with colons, `52:54:00:00:00:51`. */
export type Mac = string & { readonly __brand: 'Mac' };

const PAIRS = /^([0-9a-f]{2})[:-]([0-9a-f]{2})[:-]([0-9a-f]{2})[:-]([0-9a-f]{2})[:-]([0-9a-f]{2})[:-]([0-9a-f]{2})$/;
const DOTTED = /^([0-9a-f]{4})\.([0-9a-f]{4})\.([0-9a-f]{4})$/;

/** Reads `52:54:00:00:00:51`, `52-54-00-00-00-51` or `5254.0000.0051` in either case; `undefined` if it is none of them. */
export function parseMac(text: string): Mac | undefined {
  const lower = text.trim().toLowerCase();
  const pairs = PAIRS.exec(lower);
  if (pairs) return pairs.slice(1).join(':') as Mac;
  const dotted = DOTTED.exec(lower);
  if (!dotted) return undefined;
  return dotted
    .slice(1)
    .map((quad) => `${quad.slice(0, 2)}:${quad.slice(2)}`)
    .join(':') as Mac;
}

/** Reads what stickers, switches and inventories print too: bare `525400000051`, `525400-000051`, `52 54 00 00 00 51`. */
export function parseAnyMac(text: string): Mac | undefined {
  const groups = text.trim().split(/[:. -]/);
  const digits = groups.join('');
  if (!/^[0-9a-f]{12}$/i.test(digits) || groups.some(({ length }) => length === 0 || length % 2 === 1))
    return undefined;
  return parseMac(digits.replace(/..(?!$)/g, '$&:'));
}

/** The Ethernet address in the six bytes at `offset`. The caller has checked that they are there. */
export function macFromBytes(bytes: Uint8Array, offset = 0): Mac {
  let text = HEX[bytes[offset] ?? 0] ?? '';
  for (let i = 1; i < 6; i++) text += `:${HEX[bytes[offset + i] ?? 0]}`;
  return text as Mac;
}

/** Writes the six bytes of `mac` at `offset`. */
export function writeMac(mac: Mac, into: Uint8Array, offset = 0): void {
  for (let i = 0; i < 6; i++) into[offset + i] = Number.parseInt(mac.slice(i * 3, i * 3 + 2), 16);
}

/** `01-52-54-00-00-00-51`: hardware type and address, as pxelinux and BOOTIF spell them. */
export function bootif(mac: Mac): string {
  return `01-${mac.replaceAll(':', '-')}`;
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));
