import type { Contract } from './contract.ts';
import { AUDIT, EVENTS } from './events.ts';
import { DIFF, SYNC } from './files.ts';
import { LIST_LEASES, RELEASE_LEASE } from './leases.ts';
import { ADD_NODE, ADOPT, LIST_IMAGES, POWER, REMOVE_NODE } from './machines.ts';
import { ABORT_ROLL, BEGIN_ROLL, LIST_ROLLS, RESUME_ROLL, ROLL_BACK, SHOW_ROLL } from './rolls.ts';
import { HEALTH, OPEN_API } from './service.ts';
import { STATUS } from './status.ts';
import { CREATE_TOKEN, LIST_TOKENS, REVOKE_TOKEN, WHO_AM_I } from './tokens.ts';

/** All routes of the operators' API. */
export const OPERATOR_CONTRACTS: readonly Contract[] = [
  STATUS,
  EVENTS,
  AUDIT,
  DIFF,
  SYNC,
  LIST_LEASES,
  RELEASE_LEASE,
  LIST_ROLLS,
  SHOW_ROLL,
  BEGIN_ROLL,
  ABORT_ROLL,
  RESUME_ROLL,
  ROLL_BACK,
  POWER,
  ADOPT,
  ADD_NODE,
  REMOVE_NODE,
  LIST_IMAGES,
  LIST_TOKENS,
  CREATE_TOKEN,
  REVOKE_TOKEN,
  WHO_AM_I,
  HEALTH,
  OPEN_API,
];
