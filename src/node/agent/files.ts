import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A regular file (`mode` without the type bits) or a symbolic link, by absolute path; owned by root. */
export type AgentFile =
  | { readonly path: string; readonly mode: number; readonly content: Uint8Array }
  | { readonly path: string; readonly target: string };

/** What an image build lays into the image: the agent, its unit (wanted by multi-user.target) and the generator. */
export function agentFiles(): readonly AgentFile[] {
  return [
    { path: '/usr/sbin/reveille-agent', mode: 0o755, content: source('reveille-agent') },
    { path: '/usr/lib/systemd/system/reveille-agent.service', mode: 0o644, content: source('reveille-agent.service') },
    {
      path: '/usr/lib/systemd/system/multi-user.target.wants/reveille-agent.service',
      target: '../reveille-agent.service',
    },
    { path: '/usr/lib/systemd/system-generators/reveille-hold', mode: 0o755, content: source('reveille-hold') },
  ];
}

function source(name: string): Uint8Array {
  return readFileSync(join(import.meta.dirname, name));
}
