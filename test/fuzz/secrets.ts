/** Texts that must not be where they do not belong, and how they may be dressed. */
export type Canary = { readonly name: string; readonly text: string };

/** The secret of the nodes whose addresses the HTTP fuzzer uses: their own bundles have it. */
export const OF_IMPERSONATED: Canary = { name: 'the secret of other nodes', text: 'vctmSecret7Qx2LkfW' };
/** In no answer that a fuzzer may get. */
export const NEVER_SHOWN: readonly Canary[] = [
  { name: 'a secret of a node', text: 'ownrSecret3Zt9HmbR' },
  { name: 'the site file', text: 'cnrySiteFile5Yd8PqcN' },
  { name: 'a file outside of the roots', text: 'cnryOutside6Wb4JvsT' },
  { name: '/etc/passwd', text: 'root:x:0:0:' },
];
export const [OF_OTHERS, IN_SITE, OUTSIDE] = NEVER_SHOWN as readonly [Canary, Canary, Canary, Canary];

/** The first of the canaries that bytes hold: as it is, in base64 (whatever stands before it), or in hex. */
export function canaryIn(bytes: Buffer, canaries: readonly Canary[]): Canary | undefined {
  const text = bytes.toString('latin1');
  return canaries.find((canary) => dressed(canary).some((form) => text.includes(form)));
}

const forms = new Map<string, readonly string[]>();

function dressed({ text }: Canary): readonly string[] {
  let known = forms.get(text);
  if (!known) {
    const bytes = Buffer.from(text);
    // At each of the three places in a group; the characters at both ends depend on the neighbours and are cut off.
    const base64 = [0, 1, 2].map((before) =>
      Buffer.concat([Buffer.alloc(before), bytes])
        .toString('base64')
        .slice(before === 0 ? 0 : 4, -4),
    );
    known = [text, bytes.toString('hex'), bytes.toString('hex').toUpperCase(), ...base64];
    forms.set(text, known);
  }
  return known;
}
