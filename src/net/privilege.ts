import { ReveilleError } from '../errors.ts';
import type { CapabilityName } from './capabilities.ts';

/** The error for something that needs a capability that this process lacks: names it, and two ways to grant it. */
export function privilegeMissing(capability: CapabilityName, what: string, cause?: unknown): ReveilleError {
  const short = capability.slice('CAP_'.length).toLowerCase();
  const hint =
    `in a systemd unit: AmbientCapabilities=${capability}; ` +
    `by hand, as root: setpriv --reuid=USER --regid=USER --init-groups --inh-caps=+${short} --ambient-caps=+${short} reveille serve`;
  return new ReveilleError('PRIVILEGE_MISSING', `${what}: this process lacks ${capability}`, { hint, cause });
}
