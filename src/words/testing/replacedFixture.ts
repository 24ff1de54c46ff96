import { registerHooks } from 'node:module';

// Every function of this room gives another text than it does: for tests that run with it (`--import`).
const ROOM = new URL('..', import.meta.url).href;

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!url.startsWith(ROOM) || url === import.meta.url) return loaded;
    const names = [...String(loaded.source).matchAll(/^export (?:async )?function (\w+)/gm)].map(([, name]) => name);
    return {
      ...loaded,
      format: 'module',
      source: names.map((name) => `export function ${name}() { return 'x'; }`).join('\n'),
    };
  },
});
