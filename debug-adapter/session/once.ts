/** The cached promise for a key; failures are not kept. */
export function once<Key, Result>(
  cache: Map<Key, Promise<Result>>,
  key: Key,
  make: () => Promise<Result>,
): Promise<Result> {
  const there = cache.get(key);
  if (there) return there;
  const made = make();
  cache.set(key, made);
  made.catch(() => cache.delete(key));
  return made;
}
