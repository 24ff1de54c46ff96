import type { RawOptions } from '../model/network.ts';
import { encodeNamedOption, OPTION, OPTION_NAMES } from '../model/options.ts';
import { didYouMean, type Findings, quoted } from './finding.ts';
import { hostNameProblem } from './hostName.ts';
import type { Declared } from './shape.ts';
import type { Path } from './yaml.ts';

/** Options as declared at `at` of `document`, in wire form by number. */
export function readOptions(
  declared: { readonly [key: string]: unknown },
  at: Path,
  document: Declared<unknown>,
  findings: Findings,
): RawOptions {
  const options = new Map<number, Uint8Array>();
  for (const [key, value] of Object.entries(declared)) {
    const place = () => document.keyPlace([...at, key]);
    const number = /^\d+$/.test(key) ? Number(key) : undefined;
    if (number === undefined && !OPTION_NAMES.includes(key)) {
      const hint = didYouMean(key, OPTION_NAMES) ?? 'any option can be written by its number: 224: { hex: 01:02 }';
      findings.error(place(), `there is no DHCP option ${quoted(key)}`, hint);
      continue;
    }
    const encoded = encodeNamedOption(number ?? key, value);
    if (typeof encoded === 'string') {
      findings.error(document.place([...at, key]), encoded);
    } else if (options.has(encoded.code)) {
      findings.error(place(), `option ${encoded.code} is given twice`, 'keep one of its names, or its number');
    } else {
      options.set(encoded.code, encoded.bytes);
      if (encoded.code === OPTION.hostname.code) {
        const problem = hostNameProblem(Buffer.from(encoded.bytes).toString());
        if (problem) findings.warn(document.place([...at, key]), problem.message, problem.hint);
      }
    }
  }
  return options;
}
