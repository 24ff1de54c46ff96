/**
 * Fuzzes the running server: `make fuzz`, or test/isolated node_modules/.bin/node test/fuzz/main.ts. From the environment:
 * SECONDS (600), SEED (sends the same inputs again, and leaves the corpus alone), ONLY (dhcp, tftp, http), CORPUS (a folder),
 * INSPECT=no (without looking into the server), REPLAY (a finding's file). Exits with 1 where something was found.
 */
import { join } from 'node:path';
import { PROTOCOLS } from './input.ts';
import { fuzz, replay } from './run.ts';

const { SECONDS = '600', SEED, ONLY, CORPUS, INSPECT, REPLAY } = process.env;
const folder = CORPUS ?? join(process.env.REVEILLE_CACHE ?? '/tmp', 'fuzz');
const seed = SEED === undefined ? Date.now() % 2 ** 32 : Number(SEED);
const seconds = Number(SECONDS);
const protocols = PROTOCOLS.filter((protocol) => ONLY === undefined || ONLY.split(/[ ,]+/).includes(protocol));
if (!Number.isInteger(seed) || !(seconds > 0) || protocols.length === 0) {
  console.error('fuzz: SEED and SECONDS are numbers, ONLY names dhcp, tftp or http');
  process.exit(2);
}

const options = {
  seconds,
  seed,
  protocols,
  ...(SEED === undefined ? { corpus: folder } : {}),
  findings: join(folder, 'findings'),
  inspect: INSPECT !== 'no',
  print: (line: string) => console.log(line),
};
console.log(
  REPLAY
    ? `replaying ${REPLAY}`
    : `fuzzing ${protocols.join(', ')} for ${seconds} s, seed ${seed}, corpus in ${folder}`,
);
const { findings } = await (REPLAY ? replay(REPLAY, options) : fuzz(options));
if (findings.kinds.size === 0) console.log('nothing was found');
for (const [what, { count, file, detail }] of findings.kinds)
  console.log(`${count} x ${what}: ${detail.slice(0, 300)}\n  ${file}`);
process.exit(findings.kinds.size === 0 ? 0 : 1);
