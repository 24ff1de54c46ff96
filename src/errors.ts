/**
 * Every error that Reveille raises on purpose, by code: its meaning, and the status of an HTTP answer that refuses with it. Codes
 * never change: programs and searches use them. The message of an error states the cause, the hint states the remedy.
 */
export const ERROR_CODES = {
  SITE_INVALID: { status: 422, meaning: 'the site folder does not load' },
  RECIPE_INVALID: { status: 500, meaning: 'an image recipe does not load' },
  TEMPLATE_INVALID: { status: 422, meaning: 'a template does not render' },
  PACKET_MALFORMED: { status: 500, meaning: 'a packet does not follow its protocol' },
  PORT_IN_USE: { status: 500, meaning: 'another program holds a port' },
  PRIVILEGE_MISSING: { status: 500, meaning: 'the process lacks a capability' },
  INTERFACE_MISSING: { status: 500, meaning: 'the site names an interface that this machine does not have' },
  STATE_UNAVAILABLE: { status: 503, meaning: 'the state cannot be read or written' },
  IMAGE_BUILD_FAILED: { status: 500, meaning: 'an image could not be built' },
  IMAGE_MISSING: { status: 404, meaning: 'an image has not been built' },
  NODE_UNKNOWN: { status: 404, meaning: 'no node of this name, address or MAC' },
  NODE_SET_INVALID: { status: 400, meaning: 'a list of nodes that cannot be read' },
  FILE_OUTSIDE_ROOT: { status: 500, meaning: 'a file name leaves the folder that it must stay in' },
  LAB_FAILED: { status: 500, meaning: 'the lab could not be set up' },
  TOOL_MISSING: { status: 500, meaning: 'a system program that is needed is not installed' },
  SERVER_UNREACHABLE: { status: 500, meaning: 'no running server answers' },
  REQUEST_INVALID: { status: 400, meaning: 'a request to the API does not have the right form' },
  IDENTITY_REFUSED: { status: 403, meaning: 'a machine asks in the name of another' },
  TOKEN_REFUSED: { status: 401, meaning: 'a request to the API brings no token that is known' },
  ROLE_LACKING: { status: 403, meaning: 'a token of the API has a role that may not do this' },
  TOKEN_EXISTS: { status: 409, meaning: 'a token of the API has this name already' },
  TOKEN_UNKNOWN: { status: 404, meaning: 'there is no token of the API of this name' },
  CERTIFICATE_INVALID: { status: 500, meaning: 'a certificate or its key cannot be used' },
  LEASE_UNKNOWN: { status: 404, meaning: 'no machine holds this address' },
  FILES_UNKNOWN: { status: 404, meaning: 'a node has not reported which files it has' },
  FILE_MISSING: { status: 404, meaning: 'there is no such file' },
  FOLDER_TAKEN: { status: 500, meaning: 'a folder that is to be written holds something already' },
  IMPORT_INVALID: { status: 500, meaning: 'configuration of another system that cannot be read' },
  CLOUD_INVALID: { status: 422, meaning: 'clouds.yaml does not say how to reach the cloud' },
  CLOUD_UNREACHABLE: { status: 502, meaning: 'the cloud does not answer' },
  CLOUD_REFUSED: { status: 502, meaning: 'the cloud refuses a request' },
  BMC_MISSING: { status: 500, meaning: 'the site does not say how the BMC of a node is reached' },
  BMC_UNREACHABLE: { status: 500, meaning: 'a BMC does not answer' },
  BMC_LOGIN_REFUSED: { status: 500, meaning: 'a BMC does not let its user in, or not do this' },
  BMC_UNSUPPORTED: { status: 500, meaning: 'a BMC cannot do what it is asked for' },
  BMC_REFUSED: { status: 500, meaning: 'a BMC refuses an order' },
  SECRET_MISSING: { status: 500, meaning: 'a secret of the site cannot be read' },
  SECRET_INVALID: { status: 500, meaning: 'a secret of the site has a form in which it cannot be used' },
  TOO_MANY_REQUESTS: { status: 429, meaning: 'a node asks more often, or for more, than a node may' },
  SERVER_BUSY: { status: 503, meaning: 'the server does as much at once as it may' },
  SERVER_FAILED: { status: 500, meaning: 'the server failed at something that was not foreseen' },
} as const satisfies Readonly<Record<string, { readonly status: number; readonly meaning: string }>>;

export type ErrorCode = keyof typeof ERROR_CODES;

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_CODES, text);
}

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
