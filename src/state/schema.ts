import type { Generated } from 'kysely';

/** A lease; its columns are the fields of `Lease`. */
export type LeaseRow = {
  ip: number;
  mac: string;
  network: string;
  state: 'bound' | 'released' | 'declined';
  start: number;
  expires: number;
  client_id: Uint8Array | null;
  hostname: string | null;
  /** 1 or 0; null where an earlier release wrote it. */
  reserved: number | null;
};

/** An event in `events.db`: what it is searched by, and the whole of it as JSON. `id` counts up in the order of saving. */
export type EventRow = {
  id: Generated<number>;
  at: number;
  node: string | null;
  mac: string | null;
  /** Whose event it is (the node's name, else the MAC, else the address) and of which class. Old events are dropped by subject. */
  subject: string;
  body: string;
};

/** What a machine last reported of its hardware, as JSON. */
export type InventoryRow = { mac: string; at: number; body: string };

/** One part of a node's identity (`machine-id`, `ssh-rsa`), made once. */
export type IdentityRow = { node: string; kind: string; value: string };

/** A private key and its certificate, PEM both; the authority's has the empty name. */
export type CertificateRow = { name: string; key: string; certificate: string };

/** A machine that the site does not list, as JSON. */
export type StrangerRow = { mac: string; body: string };
/** The newest boot of a node as JSON, and when the last event of it was. */
export type BootRow = { node: string; seen_at: number; body: string };
/** What a node last reported of its files, as JSON. */
export type AppliedRow = { node: string; at: number; body: string };

/** A roll as JSON; `at` is when it was begun, `revision` how often it was changed. */
export type RollRow = { id: string; at: number; body: string; revision: number };
/** The hash of the image that a node boots, whatever the site says. */
export type PinRow = { node: string; image: string };

/** What the server knows of a node's token: hashes, never the token itself. */
export type TokenRow = { node: string; body: string };

/** A token of the operators' API: its hash, never the token itself. Times are ms since the epoch. */
export type ApiTokenRow = {
  name: string;
  role: 'viewer' | 'operator' | 'admin';
  hash: string;
  created_at: number;
  expires_at: number | null;
};

/** Facts about the database itself; `version` counts the migrations that it has been through. */
export type MetaRow = { key: string; value: string };

/** The tables of `reveille.db`. */
export type Schema = {
  leases: LeaseRow;
  inventory: InventoryRow;
  identities: IdentityRow;
  certificates: CertificateRow;
  strangers: StrangerRow;
  boots: BootRow;
  applied: AppliedRow;
  rolls: RollRow;
  pins: PinRow;
  tokens: TokenRow;
  api_tokens: ApiTokenRow;
  meta: MetaRow;
};

/** The tables of `events.db`. */
export type EventsSchema = { events: EventRow; meta: MetaRow };
