import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ReveilleError } from '../../errors.ts';
import { baseRoot } from '../../image/base.ts';
import { openCache } from '../../image/cache.ts';
import { quote } from '../../image/hooks.ts';
import type { RootStep } from '../../image/mmdebstrap.ts';
import { takeLock } from '../../lock.ts';
import type { Recipe } from '../../site/model.ts';

const run = promisify(execFile);
const CONTROLLER = join(import.meta.dirname, 'controller');

const RECIPE_NAME = 'lab-controller';
const PACKAGES = [
  ...['keystone', 'placement-api', 'nova-api', 'nova-conductor', 'nova-scheduler', 'neutron-server', 'glance-api'],
  ...['rabbitmq-server', 'mariadb-server', 'python3-pymysql', 'uwsgi', 'uwsgi-plugin-python3'],
  ...['python3-openstackclient', 'curl', 'iproute2', 'procps'],
];

/**
 * The root of a real OpenStack controller as a folder: Debian's packages, with databases, users and endpoints made. What
 * was built within the last day is used again. Root alone may unpack it, with the owners of its services.
 */
export async function controllerRoot(cache: string, onStep: (step: RootStep) => void): Promise<string> {
  if (process.getuid?.() !== 0) {
    throw new ReveilleError('PRIVILEGE_MISSING', 'the lab cloud needs root: its services run as users of their own', {
      hint: 'run it with sudo',
    });
  }
  const files = await openCache(cache, RECIPE_NAME);
  const lock = await takeLock(files.lock, () => onStep({ doing: 'another build of the controller is running' }));
  try {
    const { tar } = await baseRoot(controllerRecipe(), {
      cache: files,
      site: CONTROLLER,
      rootHours: Number.POSITIVE_INFINITY,
      now: Date.now,
      onStep,
    });
    return await unpacked(tar, join(cache, 'cloud'), onStep);
  } finally {
    lock.release();
  }
}

/** The tar as a folder, unpacked if it is another than the last time. */
async function unpacked(tar: string, folder: string, onStep: (step: RootStep) => void): Promise<string> {
  const { size, mtimeMs } = await stat(tar);
  const identity = `${size} ${mtimeMs}`;
  const tree = join(folder, 'controller');
  const stamp = join(folder, 'controller.built');
  if ((await readFile(stamp, 'utf8').catch(() => '')) === identity) return tree;
  onStep({ doing: 'unpacking the controller' });
  const fresh = `${tree}.new`;
  await Promise.all([stamp, tree, fresh].map((path) => rm(path, { recursive: true, force: true })));
  await mkdir(fresh, { recursive: true });
  await run('tar', ['--extract', '--numeric-owner', '--xattrs', '--file', tar, '--directory', fresh]);
  await rename(fresh, tree);
  await writeFile(stamp, identity);
  return tree;
}

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
      // Namespaces of its own: its daemons must neither meet those of this machine nor outlive the build.
      "unshare --net --pid --fork --kill-child --propagation unchanged --mount-proc sh -ec 'ip link set lo up; exec /opt/lab-cloud/provision'",
    ],
    compress: 'auto',
    place: { file: 'the lab controller', line: 1, col: 1 },
  };
}
