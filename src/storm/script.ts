/** What an iPXE script boots: the addresses of kernel and initrds, and where the agent's requests go. */
export type BootScript = { readonly kernel: URL; readonly initrds: readonly URL[]; readonly api?: URL };

/** How many labels are followed: a script that goes round is none that boots. */
const MOST_JUMPS = 20;

/**
 * Reads the part of an iPXE script that a machine without a person before it runs: from the top, by `goto LABEL`, to the first `boot`. Names of files are taken relative to
 * the script's own address. `undefined` if it comes to no `kernel`.
 */
export function readScript(text: string, address: URL): BootScript | undefined {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  if (lines[0] !== '#!ipxe') return undefined;
  let kernel: URL | undefined;
  let api: URL | undefined;
  const initrds: URL[] = [];
  let jumps = 0;
  for (let at = 1; at < lines.length; at++) {
    const [command, ...words] = (lines[at] ?? '').split(/ \|\| /)[0]?.split(/\s+/) ?? [];
    const line = words.filter((word) => word !== '');
    if (command === 'boot') break;
    if (command === 'goto' || command === 'choose') {
      // Nobody chooses: the default is taken.
      const label = command === 'goto' ? line[0] : line[line.indexOf('--default') + 1];
      const target = lines.indexOf(`:${label}`);
      if (target < 0 || ++jumps > MOST_JUMPS) return undefined;
      at = target;
    }
    if (command !== 'kernel' && command !== 'initrd' && command !== 'imgfetch') continue;
    const [file, ...rest] = withoutOptions(line);
    const url = file === undefined ? null : URL.parse(file, address);
    if (url?.protocol !== 'http:') return undefined;
    if (command === 'kernel') {
      kernel = url;
      const server = rest.find((word) => word.startsWith('reveille.server='))?.slice('reveille.server='.length);
      api = (server === undefined ? null : URL.parse(server)) ?? undefined;
    } else initrds.push(url);
  }
  return kernel && { kernel, initrds, ...(api === undefined ? {} : { api }) };
}

/** `--name X` and the like stand before the file. */
function withoutOptions(words: readonly string[]): readonly string[] {
  let at = 0;
  while (words[at]?.startsWith('--')) at += words[at]?.includes('=') ? 1 : 2;
  return words.slice(at);
}
