/**
 * Breaks the running server's world round after round: `make chaos`, or test/isolated node_modules/.bin/node test/chaos/main.ts. From
 * the environment: ROUNDS (200), SEED, KINDS (as in disturbances/all.ts), RATE (perfdhcp's exchanges a second), EVIDENCE (a folder).
 * Exits with 1 where a round failed.
 */
import { join } from 'node:path';
import { DISTURBANCES } from './disturbances/all.ts';
import { chaos } from './run.ts';

const { ROUNDS = '200', SEED, KINDS, RATE = '300', EVIDENCE } = process.env;
const kinds = Object.keys(DISTURBANCES).filter((kind) => KINDS === undefined || KINDS.split(/[ ,]+/).includes(kind));
const rounds = Number(ROUNDS);
const seed = SEED === undefined ? Date.now() % 2 ** 32 : Number(SEED);
if (!(rounds > 0) || !Number.isInteger(seed) || kinds.length === 0) {
  console.error(`chaos: ROUNDS and SEED are numbers, KINDS are of ${Object.keys(DISTURBANCES).join(', ')}`);
  process.exit(2);
}
const evidence = EVIDENCE ?? join(process.env.REVEILLE_CACHE ?? '/tmp', 'chaos');
console.log(`${rounds} rounds, seed ${seed}; evidence of failures goes to ${evidence}`);
const played = await chaos({ rounds, seed, kinds, rate: Number(RATE), evidence, print: (line) => console.log(line) });
process.exit(played.length === rounds && played.every(({ failures }) => failures.length === 0) ? 0 : 1);
