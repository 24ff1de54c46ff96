/** The media type of a boot file by its name. UEFI clients distinguish a program from a disk image by type or ending. */
export function contentType(name: string): string {
  if (name.startsWith('ipxe/')) return TEXT;
  const ending = /\.([A-Za-z0-9]+)$/.exec(name)?.[1]?.toLowerCase();
  return TYPES.get(ending ?? '') ?? 'application/octet-stream';
}

const TEXT = 'text/plain; charset=utf-8';
const TYPES: ReadonlyMap<string, string> = new Map([
  ['efi', 'application/efi'],
  ['iso', 'application/vnd.efi-iso'],
  ['img', 'application/vnd.efi-img'],
  ['ipxe', TEXT],
  ['cfg', TEXT],
  ['txt', TEXT],
  ['json', 'application/json'],
]);
