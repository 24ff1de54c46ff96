/** `make`, called once for each object; its result is kept for as long as the object is. */
export function oncePer<K extends object, V>(make: (about: K) => V): (about: K) => V {
  const made = new WeakMap<K, { readonly value: V }>();
  return (about) => {
    const before = made.get(about);
    if (before) return before.value;
    const value = make(about);
    made.set(about, { value });
    return value;
  };
}
