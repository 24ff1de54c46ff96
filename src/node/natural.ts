/** Orders names as people count: `eth2` before `eth10`. */
export function byNaturalName(a: { readonly name: string }, b: { readonly name: string }): number {
  return ORDER.compare(a.name, b.name) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

const ORDER = new Intl.Collator('en', { numeric: true });
