import { existsSync, globSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

// Runs all test files of a folder, several at a time: each lane takes the next file, the longest first, and each file has a
// process of its own.
//   node test/suite.ts interop 5   in namespaces of their own, as they bind the same ports
//   node test/suite.ts lab 2       their racks have namespaces already; beside each other they fetch packages and build images
const [folder = '', lanes = ''] = process.argv.slice(2);

/** Files that run for half a minute or more, the longest first. Order alone depends on it. */
const LONGEST: { readonly [folder: string]: readonly string[] } = {
  interop: [
    'roll',
    'refresh',
    'import-pxelinux',
    'faults',
    'tftp',
    'agent',
    'agent-private',
    'refresh-cli',
    'dhcp-clients',
    'agent-trouble',
    'dhcp-overload',
    'chaos',
    'tftp-hostile',
    'bmc',
    'agent-slow',
    'agent-attack',
    'agent-opened',
    'fuzz',
    'dhcp-faults',
    'interfaces',
  ],
  lab: ['image', 'boots', 'nfs', 'disk', 'ubuntu', 'squashfs', 'oldImage', 'refresh', 'slim'],
};

const here = join(import.meta.dirname, folder);
const longest = (LONGEST[folder] ?? []).map((name) => join(here, `${name}.test.ts`));
const gone = longest.filter((file) => !existsSync(file));
const found = globSync(join(here, '*.test.ts')).sort();
if (gone.length > 0 || found.length === 0 || !(Number(lanes) > 0)) {
  console.error(
    `test/suite.ts: usage: suite.ts interop|lab LANES; files that are not there: ${gone.join(' ') || here}`,
  );
  process.exit(2);
}

// Node's runner starts the process of each file by this name.
if (folder === 'interop') process.execPath = resolve(import.meta.dirname, 'isolatedNode');

run({
  files: [...new Set([...longest, ...found])],
  concurrency: Number(lanes),
  // A client or a machine that hangs fails its test instead of stalling the run; whole suites take up to five minutes.
  timeout: 900_000,
  execArgv: ['--disable-warning=ExperimentalWarning'],
})
  .on('test:fail', () => {
    process.exitCode = 1;
  })
  .compose(new spec())
  .pipe(process.stdout);
