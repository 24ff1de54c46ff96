import { encodeNamedOption } from '../dhcp/options.ts';
import type { Findings } from './finding.ts';
import type { RawOptions } from './model.ts';
import type { Declared } from './shape.ts';
import type { Path } from './yaml.ts';

/** Options that the server works out itself, and what to write instead. */
const OWN_OPTIONS: ReadonlyMap<number, string> = new Map([
  [0, 'it is padding'],
  [1, 'write `subnet:` of the network'],
  [50, 'only clients send it'],
  [51, 'write `lease:` of the network'],
  [52, 'replies are never overloaded'],
  [53, 'it is the type of each message'],
  [54, 'write `server:` of the network'],
  [55, 'only clients send it'],
  [57, 'only clients send it'],
  [61, 'only clients send it'],
  [82, 'only relays send it'],
  [255, 'it ends every message'],
]);

/** Options as declared at `at` of `document`, in wire form by number. */
export function readOptions(
  declared: { readonly [key: string]: unknown },
  at: Path,
  document: Declared<unknown>,
  findings: Findings,
): RawOptions {
  const options = new Map<number, Uint8Array>();
  for (const [key, value] of Object.entries(declared)) {
    const name = /^\d+$/.test(key) ? Number(key) : key;
    const encoded = encodeNamedOption(name, value);
    if (typeof encoded === 'string') {
      findings.error(document.place([...at, key]), `option ${key}: ${encoded}`);
      continue;
    }
    const instead = OWN_OPTIONS.get(encoded.code);
    if (instead !== undefined) {
      findings.error(document.keyPlace([...at, key]), `option ${key} cannot be set here`, instead);
    } else if (options.has(encoded.code)) {
      findings.error(document.keyPlace([...at, key]), `option ${encoded.code} is given twice, by name and by number`);
    } else {
      options.set(encoded.code, encoded.bytes);
    }
  }
  return options;
}
