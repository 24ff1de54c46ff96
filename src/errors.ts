/**
 * Every error that Reveille raises on purpose, by code. A code is for programs and searches and never changes; the
 * message beside it says in words what is wrong, and the hint what to do.
 */
export const ERROR_CODES = {
  SITE_INVALID: 'the site folder does not load',
  RECIPE_INVALID: 'an image recipe does not load',
  TEMPLATE_INVALID: 'a template does not render',
  PACKET_MALFORMED: 'a packet does not follow its protocol',
  PORT_IN_USE: 'another program holds a port',
  PRIVILEGE_MISSING: 'the process lacks a capability',
  INTERFACE_MISSING: 'the site names an interface that this machine does not have',
  STATE_UNAVAILABLE: 'the state cannot be read or written',
  IMAGE_BUILD_FAILED: 'an image could not be built',
  IMAGE_MISSING: 'an image has not been built',
  NODE_UNKNOWN: 'no node of this name, address or MAC',
  NODE_SET_INVALID: 'a list of nodes that cannot be read',
  FILE_OUTSIDE_ROOT: 'a file name leaves the folder that it must stay in',
  LAB_FAILED: 'the lab could not be set up',
  TOOL_MISSING: 'a system program that is needed is not installed',
  SERVER_UNREACHABLE: 'no running server answers',
  REQUEST_INVALID: 'a request to the API does not have the right form',
  IDENTITY_REFUSED: 'a machine asks in the name of another',
  LEASE_UNKNOWN: 'nobody holds this address',
  FILES_UNKNOWN: 'a node has not told which files it has',
  FILE_MISSING: 'there is no such file',
  FOLDER_TAKEN: 'a folder that is to be written holds something already',
  IMPORT_INVALID: 'configuration of another system that cannot be read',
  CLOUD_INVALID: 'clouds.yaml does not say how to reach the cloud',
  CLOUD_UNREACHABLE: 'the cloud does not answer',
  CLOUD_REFUSED: 'the cloud says no',
  BMC_MISSING: 'the site does not say how the BMC of a node is reached',
  BMC_UNREACHABLE: 'a BMC does not answer',
  BMC_LOGIN_REFUSED: 'a BMC does not let its user in, or not do this',
  BMC_UNSUPPORTED: 'a BMC cannot do what it is told',
  BMC_REFUSED: 'a BMC says no',
  SECRET_MISSING: 'a secret of the site cannot be had',
  SECRET_INVALID: 'a secret of the site has a form in which it cannot be used',
  TOO_MANY_REQUESTS: 'a node asks more often, or for more, than a node may',
  SERVER_BUSY: 'the server does as much at once as it may',
  SERVER_FAILED: 'the server failed at something that was not foreseen',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** Where in the operator's files something is wrong: line and column count from 1. */
export type Place = { readonly file: string; readonly line: number; readonly col: number };

/** An error with a code, and where it helps a place and a hint. `message` is one sentence for the operator. */
export class ReveilleError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly place: Place | undefined;

  constructor(code: ErrorCode, message: string, more: { hint?: string; place?: Place; cause?: unknown } = {}) {
    super(message, more.cause === undefined ? {} : { cause: more.cause });
    this.name = 'ReveilleError';
    this.code = code;
    this.hint = more.hint;
    this.place = more.place;
  }
}

/** `site.yaml:12:5`. */
export function formatPlace(place: Place): string {
  return `${place.file}:${place.line}:${place.col}`;
}

/** What went wrong, in words, whatever was thrown. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What went wrong, for an event: by its code if it is one of ours, else as a mistake of the server. */
export function troubleOf(error: unknown): { readonly code: ErrorCode; readonly message: string } {
  return { code: error instanceof ReveilleError ? error.code : 'SERVER_FAILED', message: wordsOf(error) };
}
