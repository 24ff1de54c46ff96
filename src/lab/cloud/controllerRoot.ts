import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ReveilleError } from '../../errors.ts';
import { baseRoot } from '../../image/base.ts';
import { openCache } from '../../image/cache.ts';
import { quote } from '../../image/hooks.ts';
import type { RootStep } from '../../image/mmdebstrap.ts';
import { takeLock } from '../../lock.ts';
import type { Recipe } from '../../model/recipe.ts';
import { openTree } from './tree.ts';

const CONTROLLER = join(import.meta.dirname, 'controller');

const RECIPE_NAME = 'lab-controller';
const PACKAGES = [
  ...['keystone', 'placement-api', 'nova-api', 'nova-conductor', 'nova-scheduler', 'neutron-server', 'glance-api'],
  ...['rabbitmq-server', 'mariadb-server', 'python3-pymysql', 'uwsgi', 'uwsgi-plugin-python3'],
  ...['python3-openstackclient', 'curl', 'iproute2', 'procps'],
];

/**
 * The root of a real OpenStack controller as a read-only folder: Debian's packages, with databases, users and endpoints made. It
 * is reused until its packages or `provision` change. Only root can unpack it, with the owners of its services.
 */
export async function controllerRoot(cache: string, onStep: (step: RootStep) => void): Promise<string> {
  requireRoot();
  const files = await openCache(cache, RECIPE_NAME);
  const lock = await takeLock(files.lock, () => onStep({ doing: 'another build of the controller is running' }));
  try {
    const base = await baseRoot(controllerRecipe(), {
      cache: files,
      site: CONTROLLER,
      rootHours: Number.POSITIVE_INFINITY,
      now: Date.now,
      onStep,
    });
    return await openTree(base, join(cache, 'cloud'), () => onStep({ doing: 'unpacking the controller' }));
  } finally {
    lock.release();
  }
}

/** Throws PRIVILEGE_MISSING unless this is root. */
export function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new ReveilleError('PRIVILEGE_MISSING', 'the lab cloud needs root: its services run as users of their own', {
    hint: 'run it with sudo',
  });
}

/** A change here, or in `provision`, causes a new build. */
function controllerRecipe(): Recipe {
  const provision = readFileSync(join(CONTROLLER, 'provision'), 'utf8');
  return {
    name: RECIPE_NAME,
    from: { kind: 'debian', suite: 'bookworm' },
    packages: PACKAGES,
    removePackages: [],
    removePaths: [],
    keepPaths: [],
    check: [],
    ignoreMissing: [],
    slim: false,
    root: 'initramfs',
    initrdModules: [],
    run: [
      `mkdir -p /opt/lab-cloud && printf %s ${quote(provision)} >/opt/lab-cloud/provision && chmod 0755 /opt/lab-cloud/provision`,
      // Namespaces of its own: its daemons must not affect those of this machine or outlive the build.
      "unshare --net --pid --fork --kill-child --propagation unchanged --mount-proc sh -ec 'ip link set lo up; exec /opt/lab-cloud/provision'",
    ],
    compress: 'auto',
    place: { file: 'the lab controller', line: 1, col: 1 },
  };
}
