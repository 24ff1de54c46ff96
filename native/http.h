// The engine that answers requests below /boot/: sockets, heads, answers from memory and files by sendfile. It belongs to one thread and has an
// epoll set of its own. Plain requests for what was handed to it (`engine_keep`) are answered at once; other requests below /boot/ become records
// for JavaScript, which answers them (`engine_answer`, `engine_send`); connections on which anything else is asked are handed over with their bytes.
#ifndef REVEILLE_HTTP_H
#define REVEILLE_HTTP_H

#include "http_head.h"

#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#define HEAD_BYTES (16 * 1024)     // the longest head
#define MOST_LISTENERS 16
#define ENTRY_BUCKETS 2048
#define CLIENT_BUCKETS 4096

struct blob {
  size_t refs, length;
  char bytes[];
};

// An answer that is ready, by the target as it stands in requests. It holds while the file at `path` is in the state that it was made of.
struct entry {
  struct entry *next;
  struct blob *target, *head, *body;
  char *path;
  int64_t state[7];  // device, inode, size, mtime (s, ns), ctime (s, ns)
  uint32_t token;
  uint64_t checked;  // in this turn
};

struct client {
  struct client *next;
  uint32_t ip, connections, held, hits;
  uint64_t tick;
};

enum phase { FREE, FRESH, IDLE, BUSY, LINGERING, PHASES };

// How a transfer ended, as JavaScript knows it (src/net/httpEngine.ts). UNREADABLE is followed by the numbers of errors.
enum outcome { SENT, CLIENT_LEFT, STALLED, EDITED, SHORTER, CUT, UNREADABLE };

struct file {
  int fd;  // -1: none
  bool is_fixed, is_begun;
  int64_t at, left, copied, size, mtime_s, mtime_ns;
};

struct connection {
  struct connection *prev, *next;  // of the same phase, by `since`
  struct connection *ready;        // behind it in the queue
  struct client *client;
  int fd;
  uint32_t slot, generation;
  enum phase phase;
  int64_t since, look_at, look_ms;
  bool is_readable, is_queued, has_ended, closes, is_asked, is_sending, is_ours, is_head, is_borrowed, is_draining;
  char *in;
  size_t in_at, in_length;
  struct blob *head, *body;
  char tail[160];
  size_t tail_length, out_at;
  struct file file;
  int64_t began, body_bytes;
  uint32_t token;
};

struct list {
  struct connection *first, *last;
};

struct listener {
  int fd;
  bool is_paused;
};

struct engine {
  void *data;                                 // the caller's
  void (*on_records)(struct engine *engine);  // takes `records`; may answer requests and close the engine
  bool is_closed;
  int epoll;
  struct listener listeners[MOST_LISTENERS];
  size_t listener_count;
  struct connection *connections;
  uint32_t slots, used_slots, held, lingering, most, most_each;
  struct connection *free_slots;
  struct list phases[PHASES];
  struct connection *ready_first, *ready_last;
  struct client *clients[CLIENT_BUCKETS];
  struct entry *entries[ENTRY_BUCKETS];
  size_t entry_count, entry_bytes;
  int64_t now, head_ms, idle_ms, stall_ms;
  uint32_t draining;
  uint64_t turn, tick;
  struct blob *crowded, *timed_out, *too_large;
  char date[64];
  time_t date_of;
  uint8_t *records;
  size_t records_length, records_capacity;
  uint32_t hits, hits_waiting;  // in this tick; among the records
  double refused, requests, files, file_bytes, unreported;
  char scratch[HEAD_BYTES];
};

// What an engine is opened with. The refusals are whole answers; the engine takes them over.
struct limits {
  uint32_t most, most_each;  // connections, in all and of one client
  int64_t head_ms, idle_ms, stall_ms;
  struct blob *crowded, *timed_out, *too_large;
};

// What JavaScript has the engine remember. Head, target and body are taken over, the path is copied.
struct kept {
  struct blob *target, *head, *body;
  const char *path;
  int64_t state[7];
  uint32_t token;
};

struct blob *new_blob(const void *bytes, size_t length);
void drop(struct blob **blob);

// NULL with errno set where it cannot be opened.
struct engine *engine_open(const struct limits *limits);
// Closes all connections; the engine can still be asked for things, which do nothing.
void engine_close(struct engine *engine);
void engine_free(struct engine *engine);

// Listens at an IPv4 address and port, both in host order; port 0 takes a free one. The port, or -1 with errno set.
int engine_listen(struct engine *engine, uint32_t ip, uint16_t port, bool shares_port);

// Does what the sockets are ready for. True where more can be done at once.
bool engine_turn(struct engine *engine);
// To be called each ENGINE_TICK_MS, or each ENGINE_DRAIN_MS while `draining` is not 0. As `engine_turn`.
#define ENGINE_TICK_MS 100
#define ENGINE_DRAIN_MS 2
bool engine_tick(struct engine *engine);

// Answers the request of connection `id`; false where it is gone. `head` has the status line and the fields, without the empty line at its end.
// Both are taken over; `body` may be NULL.
bool engine_answer(struct engine *engine, double id, struct blob *head, struct blob *body, bool closes);
// The same with bytes of a file, whose descriptor stays the caller's and open until the record of the end.
bool engine_send(struct engine *engine, double id, struct blob *head, const struct file *file);
// Breaks a transfer off.
bool engine_cut(struct engine *engine, double id);
// The bytes of a body that are out; -1 where the transfer is over.
double engine_progress(struct engine *engine, double id);

void engine_keep(struct engine *engine, struct kept kept);
void engine_forget_kept(struct engine *engine);

#endif
