/** Steps that the agent of a node, or the first initrd, reports by name. */
const NAMED = [
  'network',
  'agent',
  'inventory',
  'bundle',
  'files',
  'hook',
  'hostname',
  'sshpub',
  'settings',
  'ready',
  'reboot',
  'drift',
  'root',
] as const;

/** A step that the agent reports. `service`: a unit is started, `subject` names it. `other`: this release does not know the step; `subject` is its name. */
export type AgentStep =
  | { readonly code: (typeof NAMED)[number]; readonly subject?: never }
  | { readonly code: 'service' | 'other'; readonly subject: string };

const NAMED_CODES: ReadonlyMap<string, (typeof NAMED)[number]> = new Map(NAMED.map((name) => [name, name]));
const SERVICE = 'service ';

/** The step that a report names: `settings`, `service nova-compute`. */
export function agentStep(name: string): AgentStep {
  const code = NAMED_CODES.get(name);
  if (code !== undefined) return { code };
  if (name.startsWith(SERVICE)) return { code: 'service', subject: name.slice(SERVICE.length) };
  return { code: 'other', subject: name };
}
