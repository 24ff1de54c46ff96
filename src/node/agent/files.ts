import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A regular file (`mode` without the type bits) or a symbolic link, by absolute path; owned by root. */
export type AgentFile =
  | { readonly path: string; readonly mode: number; readonly content: Uint8Array }
  | { readonly path: string; readonly target: string };

/**
 * The files that an image build adds to the image: the agent's two programs with their shared parts, and their units (that of the
 * boot is wanted by multi-user.target and starts the other); the generator; and the program that reports opened files.
 */
export function agentFiles(): readonly AgentFile[] {
  const units = '/usr/lib/systemd/system';
  return [
    { path: '/usr/sbin/reveille-agent', mode: 0o755, content: source('reveille-agent') },
    { path: '/usr/sbin/reveille-refresh', mode: 0o755, content: source('reveille-refresh') },
    { path: '/usr/lib/reveille/talk.sh', mode: 0o644, content: source('talk.sh') },
    { path: '/usr/lib/reveille/hide.sh', mode: 0o644, content: source('hide.sh') },
    { path: '/usr/lib/reveille/trouble.sh', mode: 0o644, content: source('trouble.sh') },
    { path: '/usr/lib/reveille/hide.awk', mode: 0o644, content: source('hide.awk') },
    { path: '/usr/lib/reveille/place.sh', mode: 0o644, content: source('place.sh') },
    { path: '/usr/lib/reveille/apply.sh', mode: 0o644, content: source('apply.sh') },
    { path: '/usr/lib/reveille/services.sh', mode: 0o644, content: source('services.sh') },
    { path: `${units}/reveille-agent.service`, mode: 0o644, content: source('reveille-agent.service') },
    { path: `${units}/reveille-refresh.service`, mode: 0o644, content: source('reveille-refresh.service') },
    { path: `${units}/multi-user.target.wants/reveille-agent.service`, target: '../reveille-agent.service' },
    { path: '/usr/sbin/reveille-opened', mode: 0o755, content: source('reveille-opened') },
    { path: `${units}/reveille-opened.service`, mode: 0o644, content: source('reveille-opened.service') },
    { path: `${units}/reveille-opened.timer`, mode: 0o644, content: source('reveille-opened.timer') },
    { path: `${units}/timers.target.wants/reveille-opened.timer`, target: '../reveille-opened.timer' },
    { path: '/usr/lib/systemd/system-generators/reveille-hold', mode: 0o755, content: source('reveille-hold') },
  ];
}

function source(name: string): Uint8Array {
  return readFileSync(join(import.meta.dirname, name));
}
