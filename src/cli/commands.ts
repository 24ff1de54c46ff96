import type { Command } from 'commander';

/** The commands by their names, in the order of the help. Each is read only when it is called: all of them take longer than most run. */
export const COMMANDS = {
  serve: async () => (await import('./serve.ts')).serveCommand(),
  check: async () => (await import('./check.ts')).wholeCheckCommand(),
  explain: async () => (await import('./explain.ts')).explainCommand(),
  status: async () => (await import('./status.ts')).statusCommand(),
  watch: async () => (await import('./watch.ts')).watchCommand(),
  events: async () => (await import('./events.ts')).eventsCommand(),
  why: async () => (await import('./why.ts')).whyCommand(),
  diff: async () => (await import('./diff.ts')).diffCommand(),
  sync: async () => (await import('./sync.ts')).syncCommand(),
  lease: async () => (await import('./lease.ts')).leaseCommand(),
  roll: async () => (await import('./roll.ts')).rollCommand(),
  power: async () => (await import('./power.ts')).powerCommand(),
  token: async () => (await import('./token.ts')).tokenCommand(),
  image: async () => {
    const [{ imageCommand }, { slimCommand }] = await Promise.all([import('./image.ts'), import('./imageSlim.ts')]);
    return imageCommand().addCommand(slimCommand());
  },
  node: async () => (await import('./node.ts')).nodeCommand(),
  overlay: async () => (await import('./overlay.ts')).overlayCommand(),
  import: async () => (await import('./import.ts')).importCommand(),
  schema: async () => (await import('./schema.ts')).schemaCommand(),
  storm: async () => (await import('./storm.ts')).stormCommand(),
  lab: async () => (await import('./lab.ts')).labCommand(),
  demo: async () => (await import('./demo.ts')).demoCommand(),
  'demo-cloud': async () => (await import('./demoCloud.ts')).demoCloudCommand(),
} as const satisfies { readonly [name: string]: () => Promise<Command> };

/** The commands that these arguments may mean: the one that the first word names, else all of them. */
export function commandsFor([word = '']: readonly string[]): Promise<readonly Command[]> {
  const named = Object.entries(COMMANDS).find(([name]) => name === word)?.[1];
  return Promise.all(named ? [named()] : Object.values(COMMANDS).map((make) => make()));
}
