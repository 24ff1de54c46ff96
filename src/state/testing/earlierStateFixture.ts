/**
 * The tables of a state of version 7, the last that had the events beside the leases, as its program made them, and a row of each. For
 * tests: it is never changed.
 */
export const VERSION_7 = `
create table meta (key text primary key, value text not null) strict;
insert into meta values ('version', '7');
create table leases (
  ip integer primary key,
  mac text not null,
  network text not null,
  state text not null,
  start integer not null,
  expires integer not null,
  client_id blob,
  hostname text
) strict;
create index leases_by_owner on leases (network, mac);
insert into leases values (167772211, '52:54:00:00:00:01', 'rack', 'bound', 1800000000000, 1800007200000, x'0100', 'node01');
create table events (
  id integer primary key autoincrement,
  at integer not null,
  node text,
  mac text,
  subject text not null,
  body text not null
) strict;
create index events_by_subject on events (subject, id);
create index events_by_node on events (node, id);
create index events_by_mac on events (mac, id);
create table inventory (mac text primary key, at integer not null, body text not null) strict;
insert into inventory values ('52:54:00:00:00:01', 5, '{"nics":[]}');
create table identities (
  node text not null,
  kind text not null,
  value text not null,
  primary key (node, kind)
) strict, without rowid;
create unique index identities_differ on identities (kind, value);
insert into identities values ('node01', 'machine-id', 'abc');
create table strangers (mac text primary key, body text not null) strict, without rowid;
create table applied (node text primary key, at integer not null, body text not null) strict;
create table rolls (id text primary key, at integer not null, body text not null) strict;
create table pins (node text primary key, image text not null) strict, without rowid;
insert into pins values ('node01', 'aa');
create table certificates (name text primary key, key text not null, certificate text not null) strict;
insert into certificates values ('', 'key', 'certificate');
create table boots (node text primary key, seen_at integer not null, body text not null) strict;
insert into boots values ('node01', 9, '{"startedAt":1,"updatedAt":2,"state":"booting","steps":[]}');
`;
