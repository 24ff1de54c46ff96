#define _GNU_SOURCE
#include "http.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define SLICE_BYTES (1024 * 1024)  // of a file, before other connections have their turn
#define COPIED_BYTES (1024 * 1024)  // of the end of a file that may be edited: sent from memory, in pieces
#define LAST_BYTES (64 * 1024)      // a piece; the last one, once all that are pages of the file have arrived
#define ANSWERS_AT_ONCE 16         // on one connection, before others have their turn
#define EVENTS_AT_ONCE 256
#define ACCEPTS_AT_ONCE 64
#define TURN_MS 2                  // then the loop does its other work
#define TICK_MS 100
#define MOST_LINGERING 64          // connections that are closed once their client has read why
#define LINGER_MS 1000
#define MOST_ENTRIES 1024
#define MOST_ENTRY_BYTES (16 * 1024 * 1024)
#define ASK_RECORDS_BYTES (1024 * 1024)
#define HITS_AT_ONCE 512           // records of answers from memory for each tick, and of one client
#define HITS_OF_CLIENT 64
#define HIT_RECORD_BYTES 24u

static int64_t now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

// ---- bytes that several hold

struct blob *new_blob(const void *bytes, size_t length) {
  struct blob *blob = malloc(sizeof *blob + length);
  if (blob == NULL) return NULL;
  blob->refs = 1;
  blob->length = length;
  if (bytes != NULL && length > 0) memcpy(blob->bytes, bytes, length);
  return blob;
}

static struct blob *hold(struct blob *blob) {
  if (blob != NULL) blob->refs++;
  return blob;
}

void drop(struct blob **blob) {
  if (*blob != NULL && --(*blob)->refs == 0) free(*blob);
  *blob = NULL;
}

// ---- records for JavaScript: a type and a length in 32 bits each, then the fields

enum record { ASK = 1, HANDED, END, HIT };

static uint8_t *new_record(struct engine *engine, enum record type, size_t length) {
  size_t all = (8 + length + 7) & ~(size_t)7;
  size_t needed = engine->records_length + all;
  if (needed > engine->records_capacity) {
    size_t capacity = needed * 2;
    uint8_t *larger = realloc(engine->records, capacity);
    if (larger == NULL) return NULL;
    engine->records = larger;
    engine->records_capacity = capacity;
  }
  uint8_t *record = engine->records + engine->records_length;
  engine->records_length = needed;
  memset(record, 0, all);
  uint32_t start[2] = {type, (uint32_t)length};
  memcpy(record, start, 8);
  return record + 8;
}

static double id_of(const struct connection *c) { return (double)c->generation * 65536.0 + c->slot; }

static struct connection *by_id(struct engine *engine, double id) {
  if (!(id >= 0 && id < 9007199254740992.0) || id != (double)(uint64_t)id) return NULL;
  uint64_t whole = (uint64_t)id;
  uint32_t slot = whole & 65535;
  if (slot >= engine->used_slots) return NULL;
  struct connection *c = &engine->connections[slot];
  return c->phase != FREE && c->generation == whole >> 16 ? c : NULL;
}

// ---- connections by phase

static void unlink_phase(struct engine *engine, struct connection *c) {
  struct list *list = &engine->phases[c->phase];
  if (c->prev) c->prev->next = c->next;
  else list->first = c->next;
  if (c->next) c->next->prev = c->prev;
  else list->last = c->prev;
  c->prev = c->next = NULL;
}

// Moves it to the end of `phase`, from now on.
static void enter(struct engine *engine, struct connection *c, enum phase phase) {
  if (c->phase != FREE) unlink_phase(engine, c);
  c->phase = phase;
  c->since = engine->now;
  struct list *list = &engine->phases[phase];
  c->prev = list->last;
  if (list->last) list->last->next = c;
  else list->first = c;
  list->last = c;
}

static void queue(struct engine *engine, struct connection *c) {
  if (c->is_queued) return;
  c->is_queued = true;
  c->ready = NULL;
  if (engine->ready_last) engine->ready_last->ready = c;
  else engine->ready_first = c;
  engine->ready_last = c;
}

static struct client *client_of(struct engine *engine, uint32_t ip) {
  struct client **bucket = &engine->clients[(ip * 2654435761u) >> 20 & (CLIENT_BUCKETS - 1)];
  for (struct client *client = *bucket; client; client = client->next) {
    if (client->ip == ip) return client;
  }
  struct client *client = calloc(1, sizeof *client);
  if (client == NULL) return NULL;
  client->ip = ip;
  client->next = *bucket;
  *bucket = client;
  return client;
}

static void leave_client(struct engine *engine, struct client *client) {
  if (--client->connections > 0) return;
  struct client **at = &engine->clients[(client->ip * 2654435761u) >> 20 & (CLIENT_BUCKETS - 1)];
  while (*at != client) at = &(*at)->next;
  *at = client->next;
  free(client);
}

static void stop_draining(struct engine *engine, struct connection *c) {
  if (c->is_draining) engine->draining--;
  c->is_draining = false;
}

static void release_out(struct engine *engine, struct connection *c) {
  drop(&c->head);
  drop(&c->body);
  stop_draining(engine, c);
  c->tail_length = c->out_at = 0;
  c->file.fd = -1;
  c->is_sending = c->is_ours = false;
}

static void record_end(struct engine *engine, struct connection *c, enum outcome outcome) {
  uint8_t *record = new_record(engine, END, 32);
  if (record == NULL) return;
  double fields[4] = {id_of(c), outcome, (double)c->body_bytes, (double)(engine->now - c->began)};
  memcpy(record, fields, sizeof fields);
}

// Takes it out of the engine; its descriptor is the caller's.
static int forget(struct engine *engine, struct connection *c, enum outcome outcome) {
  if (c->is_sending && !c->is_ours) record_end(engine, c, outcome);
  release_out(engine, c);
  if (c->phase == LINGERING) engine->lingering--;
  else engine->held--, c->client->held--;
  leave_client(engine, c->client);
  unlink_phase(engine, c);
  if (!c->is_borrowed) free(c->in);
  c->in = NULL;
  c->phase = FREE;
  c->generation++;
  // One that is queued goes to the free ones when its turn comes.
  if (!c->is_queued) c->next = engine->free_slots, engine->free_slots = c;
  return c->fd;
}

static void close_connection(struct engine *engine, struct connection *c, enum outcome outcome) { close(forget(engine, c, outcome)); }

// Closes it once the client has had time to read what was sent: closing at once with bytes unread takes that back on its way.
static void linger(struct engine *engine, struct connection *c, enum outcome outcome) {
  if (c->is_sending && !c->is_ours) record_end(engine, c, outcome);
  release_out(engine, c);
  if (engine->lingering >= MOST_LINGERING || shutdown(c->fd, SHUT_WR) != 0) {
    close_connection(engine, c, outcome);
    return;
  }
  c->in_at = c->in_length = 0;
  c->is_readable = true;
  engine->held--;
  c->client->held--;
  engine->lingering++;
  enter(engine, c, LINGERING);
  queue(engine, c);
}

// Sends these bytes as far as the kernel takes them at once, and closes.
static void refuse(struct engine *engine, struct connection *c, const struct blob *refusal) {
  (void)!send(c->fd, refusal->bytes, refusal->length, MSG_NOSIGNAL | MSG_DONTWAIT);
  linger(engine, c, CLIENT_LEFT);
}

static void discard(struct engine *engine, struct connection *c) {
  for (int i = 0; i < ANSWERS_AT_ONCE; i++) {
    ssize_t count = recv(c->fd, engine->scratch, sizeof engine->scratch, 0);
    if (count > 0) continue;
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    close_connection(engine, c, CLIENT_LEFT);
    return;
  }
  // It floods: its time ends it.
}

// ---- answers

static const char *date_now(struct engine *engine) {
  time_t now = time(NULL);
  if (now != engine->date_of) {
    struct tm parts;
    gmtime_r(&now, &parts);
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    snprintf(engine->date, sizeof engine->date, "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n", days[parts.tm_wday], parts.tm_mday,
             months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
    engine->date_of = now;
  }
  return engine->date;
}

// `head` has the status line and the fields that the answer has by itself; the connection's follow. Takes over `head` and `body`.
static void begin_answer(struct engine *engine, struct connection *c, struct blob *head, struct blob *body) {
  c->head = head;
  c->body = body;
  c->out_at = 0;
  c->body_bytes = 0;
  const char *date = date_now(engine);
  int length = c->closes ? snprintf(c->tail, sizeof c->tail, "%sConnection: close\r\n\r\n", date)
                         : snprintf(c->tail, sizeof c->tail, "%sConnection: keep-alive\r\nKeep-Alive: timeout=%d\r\n\r\n", date,
                                    (int)(engine->idle_ms / 1000));
  c->tail_length = length > 0 && (size_t)length < sizeof c->tail ? (size_t)length : 0;
  c->is_sending = true;
  c->is_asked = false;
  c->file.fd = -1;
}

enum progress { DONE, BLOCKED, PART, BROKEN };

static size_t size_of(const struct blob *blob) { return blob == NULL ? 0 : blob->length; }

// Sends what of head, tail and body is not out yet.
static enum progress send_memory(struct engine *engine, struct connection *c) {
  const struct iovec parts[3] = {
      {c->head == NULL ? NULL : c->head->bytes, size_of(c->head)}, {c->tail, c->tail_length}, {c->body == NULL ? NULL : c->body->bytes, size_of(c->body)}};
  size_t all = parts[0].iov_len + parts[1].iov_len + parts[2].iov_len, before_body = all - parts[2].iov_len;
  while (c->out_at < all) {
    struct iovec left[3];
    int count = 0;
    size_t skipped = c->out_at;
    for (int i = 0; i < 3; i++) {
      size_t skip = skipped < parts[i].iov_len ? skipped : parts[i].iov_len;
      skipped -= skip;
      if (skip < parts[i].iov_len) left[count++] = (struct iovec){(char *)parts[i].iov_base + skip, parts[i].iov_len - skip};
    }
    struct msghdr message = {.msg_iov = left, .msg_iovlen = (size_t)count};
    ssize_t sent = sendmsg(c->fd, &message, MSG_NOSIGNAL | (c->file.fd >= 0 && c->file.left > 0 ? MSG_MORE : 0));
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno == EAGAIN ? BLOCKED : BROKEN;
    size_t at = c->out_at + (size_t)sent;
    size_t from = c->out_at > before_body ? c->out_at : before_body;
    if (at > from) c->body_bytes += (int64_t)(at - from);
    c->out_at = at;
    if (at < all && c->phase == BUSY) enter(engine, c, BUSY);
  }
  return DONE;
}

// The next bytes of a file, of at most a piece, in memory; NULL with `why` set where they cannot be had.
static struct blob *read_piece(const struct file *file, size_t length, enum outcome *why) {
  struct blob *piece = new_blob(NULL, length);
  *why = UNREADABLE + ENOMEM;
  for (size_t have = 0; piece != NULL && have < length;) {
    ssize_t count = pread(file->fd, piece->bytes + have, length - have, file->at + (int64_t)have);
    if (count > 0) {
      have += (size_t)count;
    } else if (count == 0 || errno != EINTR) {
      *why = count == 0 ? SHORTER : UNREADABLE + (enum outcome)errno;
      drop(&piece);
    }
  }
  return piece;
}

static bool is_edited(const struct file *file) {
  struct stat state;
  return fstat(file->fd, &state) != 0 || state.st_size != file->size || state.st_mtim.tv_sec != file->mtime_s ||
         state.st_mtim.tv_nsec != file->mtime_ns;
}

// Whether pages of the file are still on their way: an edit would change what arrives. What follows them is in memory of its own.
static bool has_pages_underway(const struct connection *c) {
  int unsent = 0;
  return c->file.is_begun && ioctl(c->fd, SIOCOUTQ, &unsent) == 0 && unsent > c->file.copied;
}

// Takes the next bytes of a file that may be edited into memory: whoever edits it after the last of them changes nothing of this answer.
static enum progress take_piece(struct engine *engine, struct connection *c, enum outcome *why) {
  struct file *file = &c->file;
  bool is_last = file->left <= LAST_BYTES;
  if (is_last && has_pages_underway(c)) {
    if (!c->is_draining) engine->draining++, c->look_ms = 1;
    c->is_draining = true;
    c->look_ms = c->look_ms < 64 ? c->look_ms * 2 : 64;
    c->look_at = engine->now + c->look_ms;
    return BLOCKED;
  }
  stop_draining(engine, c);
  int64_t rest = file->left - LAST_BYTES;
  int64_t length = is_last ? file->left : rest < LAST_BYTES ? rest : LAST_BYTES;
  struct blob *piece = read_piece(file, (size_t)length, why);
  if (piece == NULL) return BROKEN;
  if (is_last && is_edited(file)) {
    drop(&piece);
    *why = EDITED;
    return BROKEN;
  }
  drop(&c->head);
  drop(&c->body);
  c->tail_length = c->out_at = 0;
  c->body = piece;
  file->at += length;
  file->left -= length;
  file->copied += length;
  *why = CLIENT_LEFT;
  return PART;
}

// What a failed transfer of a file to a socket says of either.
static enum outcome why_not(int number) {
  switch (number) {
    case EPIPE:
    case ECONNRESET:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
      return CLIENT_LEFT;
    default:
      return UNREADABLE + number;
  }
}

// Sends one slice of the file.
static enum progress send_file(struct engine *engine, struct connection *c, enum outcome *why) {
  struct file *file = &c->file;
  int64_t by_pages = file->is_fixed ? file->left : file->left - COPIED_BYTES;
  if (by_pages <= 0) return take_piece(engine, c, why);
  int64_t slice = by_pages < SLICE_BYTES ? by_pages : SLICE_BYTES;
  while (slice > 0) {
    off_t at = file->at;
    ssize_t sent = sendfile(c->fd, file->fd, &at, (size_t)slice);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return BLOCKED;
    if (sent <= 0) {
      *why = sent == 0 ? SHORTER : why_not(errno);
      return BROKEN;
    }
    file->is_begun = true;
    file->at += sent;
    file->left -= sent;
    c->body_bytes += sent;
    slice -= sent;
    if (c->phase == BUSY) enter(engine, c, BUSY);
  }
  return file->left == 0 ? DONE : PART;
}

static enum progress send_answer(struct engine *engine, struct connection *c, enum outcome *why) {
  *why = CLIENT_LEFT;
  for (;;) {
    enum progress progress = send_memory(engine, c);
    if (progress != DONE || c->file.fd < 0 || c->file.left == 0) return progress;
    progress = send_file(engine, c, why);
    bool is_in_memory = progress == PART && c->body != NULL && c->out_at == 0;
    if (!is_in_memory) return progress;
  }
}

static void record_hit(struct engine *engine, struct connection *c) {
  if (c->is_head) return;
  engine->files++;
  engine->file_bytes += (double)c->body_bytes;
  struct client *client = c->client;
  if (client->tick != engine->tick) client->tick = engine->tick, client->hits = 0;
  uint8_t *record = NULL;
  if (engine->hits < HITS_AT_ONCE && client->hits < HITS_OF_CLIENT) record = new_record(engine, HIT, 16);
  if (record == NULL) {
    engine->unreported++;
    return;
  }
  engine->hits++;
  engine->hits_waiting++;
  client->hits++;
  uint32_t fields[4] = {c->token, client->ip, (uint32_t)c->body_bytes, (uint32_t)(engine->now - c->began)};
  memcpy(record, fields, sizeof fields);
}

// The answer is out. False where the connection is closed now.
static bool finish(struct engine *engine, struct connection *c) {
  if (c->is_ours) record_hit(engine, c);
  else record_end(engine, c, SENT);
  release_out(engine, c);
  if (!c->closes) {
    enter(engine, c, IDLE);
    return true;
  }
  if (c->in_at < c->in_length || c->is_readable) linger(engine, c, SENT);
  else close_connection(engine, c, SENT);
  return false;
}

// ---- answers that are ready

static uint32_t hash_of(const char *bytes, size_t length) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)bytes[i]) * 16777619u;
  return hash;
}

static void free_entry(struct engine *engine, struct entry *entry) {
  engine->entry_count--;
  engine->entry_bytes -= entry->head->length + entry->body->length;
  drop(&entry->target);
  drop(&entry->head);
  drop(&entry->body);
  free(entry->path);
  free(entry);
}

static void forget_entries(struct engine *engine) {
  for (size_t i = 0; i < ENTRY_BUCKETS; i++) {
    while (engine->entries[i]) {
      struct entry *entry = engine->entries[i];
      engine->entries[i] = entry->next;
      free_entry(engine, entry);
    }
  }
}

static void state_of(const struct stat *stat, int64_t state[7]) {
  state[0] = (int64_t)stat->st_dev;
  state[1] = (int64_t)stat->st_ino;
  state[2] = stat->st_size;
  state[3] = stat->st_mtim.tv_sec;
  state[4] = stat->st_mtim.tv_nsec;
  state[5] = stat->st_ctim.tv_sec;
  state[6] = stat->st_ctim.tv_nsec;
}

// Requests that came before this look at the file may have its answer.
static bool holds(struct engine *engine, struct entry *entry) {
  if (entry->checked == engine->turn) return true;
  struct stat stat_now;
  int64_t state[7];
  if (stat(entry->path, &stat_now) != 0) return false;
  state_of(&stat_now, state);
  if (memcmp(state, entry->state, sizeof state) != 0) return false;
  entry->checked = engine->turn;
  return true;
}

static struct entry *find_entry(struct engine *engine, struct span target) {
  struct entry **at = &engine->entries[hash_of(target.at, target.length) & (ENTRY_BUCKETS - 1)];
  for (; *at; at = &(*at)->next) {
    struct entry *entry = *at;
    if (entry->target->length != target.length || memcmp(entry->target->bytes, target.at, target.length) != 0) continue;
    if (holds(engine, entry)) return entry;
    *at = entry->next;
    free_entry(engine, entry);
    return NULL;
  }
  return NULL;
}

// ---- requests

static bool is_plain(const struct head *head) {
  return head->range.at == NULL && head->if_range.at == NULL && head->if_none_match.at == NULL;
}

// The fields of a request for JavaScript: its id, the client, GET or HEAD, four lengths, then the texts.
static bool record_ask(struct engine *engine, struct connection *c, const struct head *head) {
  const struct span texts[4] = {head->target, head->range, head->if_range, head->if_none_match};
  size_t length = 32;
  for (int i = 0; i < 4; i++) length += texts[i].length;
  uint8_t *record = new_record(engine, ASK, length);
  if (record == NULL) return false;
  double id = id_of(c);
  uint32_t numbers[6] = {c->client->ip, head->is_head};
  // An absent field is another thing than an empty one.
  for (int i = 0; i < 4; i++) numbers[2 + i] = texts[i].at == NULL ? UINT32_MAX : (uint32_t)texts[i].length;
  memcpy(record, &id, 8);
  memcpy(record + 8, numbers, sizeof numbers);
  record += 32;
  for (int i = 0; i < 4; i++) {
    if (texts[i].length > 0) memcpy(record, texts[i].at, texts[i].length);
    record += texts[i].length;
  }
  return true;
}

static void hand_over(struct engine *engine, struct connection *c) {
  size_t length = c->in_length - c->in_at;
  uint8_t *record = new_record(engine, HANDED, 8 + length);
  if (record == NULL) {
    close_connection(engine, c, CLIENT_LEFT);
    return;
  }
  if (length > 0) memcpy(record + 8, c->in + c->in_at, length);
  epoll_ctl(engine->epoll, EPOLL_CTL_DEL, c->fd, NULL);
  int32_t fd = forget(engine, c, SENT);
  memcpy(record, &fd, sizeof fd);
}

// Reads what has come, behind what was read before. False where the connection is closed now.
static bool receive(struct engine *engine, struct connection *c) {
  if (c->in == NULL) {
    c->in = engine->scratch;
    c->is_borrowed = true;
    c->in_at = c->in_length = 0;
  }
  if (c->in_at > 0) {
    memmove(c->in, c->in + c->in_at, c->in_length - c->in_at);
    c->in_length -= c->in_at;
    c->in_at = 0;
  }
  size_t space = HEAD_BYTES - c->in_length;
  ssize_t count = recv(c->fd, c->in + c->in_length, space, 0);
  if (count < 0 && errno == EINTR) return true;
  if (count < 0 && errno != EAGAIN) {
    close_connection(engine, c, CLIENT_LEFT);
    return false;
  }
  if (count == 0) {
    close_connection(engine, c, CLIENT_LEFT);
    return false;
  }
  // Fewer than asked for: all that was there, but for an end that has come already.
  if (count < 0 || ((size_t)count < space && !c->has_ended)) c->is_readable = false;
  if (count > 0) c->in_length += (size_t)count;
  return true;
}

// Begins to answer a request, or has JavaScript do it.
static void begin_request(struct engine *engine, struct connection *c, const struct head *head) {
  engine->requests++;
  c->closes = head->closes;
  c->is_head = head->is_head;
  c->began = engine->now;
  enter(engine, c, BUSY);
  struct entry *entry = is_plain(head) ? find_entry(engine, head->target) : NULL;
  if (entry != NULL) {
    begin_answer(engine, c, hold(entry->head), head->is_head ? NULL : hold(entry->body));
    c->is_ours = true;
    c->token = entry->token;
  } else if (record_ask(engine, c, head)) {
    c->is_asked = true;
  } else {
    close_connection(engine, c, CLIENT_LEFT);
  }
}

// Takes the next request from what has come. False where there is none now, or the connection is gone.
static bool next_request(struct engine *engine, struct connection *c) {
  for (;;) {
    size_t length = c->in == NULL ? 0 : c->in_length - c->in_at;
    struct head head;
    enum head_kind kind = length == 0 ? HEAD_PART : read_head(c->in + c->in_at, length, &head);
    // JavaScript is behind: this one waits for the next turn.
    if (kind != HEAD_PART && engine->records_length > ASK_RECORDS_BYTES) {
      queue(engine, c);
      return false;
    }
    if (kind == HEAD_FOREIGN) {
      hand_over(engine, c);
      return false;
    }
    if (kind == HEAD_WHOLE) {
      c->in_at += head.length;
      begin_request(engine, c, &head);
      return c->phase != FREE;
    }
    if (length >= HEAD_BYTES) {
      refuse(engine, c, engine->too_large);
      return false;
    }
    if (!c->is_readable) {
      if (length > 0 && c->phase == IDLE) enter(engine, c, FRESH);
      return false;
    }
    if (!receive(engine, c)) return false;
  }
}

// What is left in the memory that all connections share gets memory of its own.
static void keep_input(struct engine *engine, struct connection *c) {
  size_t length = c->in_length - c->in_at;
  if (c->in != NULL && length == 0) {
    if (!c->is_borrowed) free(c->in);
    c->in = NULL;
  } else if (c->in != NULL && c->is_borrowed) {
    char *own = malloc(HEAD_BYTES);
    if (own != NULL) memcpy(own, c->in + c->in_at, length);
    c->in = own;
    c->in_at = 0;
    c->in_length = own == NULL ? 0 : length;
    c->is_borrowed = false;
    if (own == NULL) {
      close_connection(engine, c, CLIENT_LEFT);
      return;
    }
  }
  c->is_borrowed = false;
}

static void go_on(struct engine *engine, struct connection *c) {
  for (int i = 0; i < ANSWERS_AT_ONCE; i++) {
    if (c->is_sending) {
      enum outcome why;
      switch (send_answer(engine, c, &why)) {
        case BLOCKED: return;
        case PART: queue(engine, c); return;
        case BROKEN: close_connection(engine, c, why); return;
        case DONE: break;
      }
      if (!finish(engine, c)) return;
    }
    if (c->is_asked || !next_request(engine, c)) return;
  }
  queue(engine, c);
}

// Does what can be done on a connection now.
static void visit(struct engine *engine, struct connection *c) {
  if (c->phase == LINGERING) {
    discard(engine, c);
    return;
  }
  go_on(engine, c);
  if (c->phase != FREE && c->phase != LINGERING) keep_input(engine, c);
}

// ---- connections come

static bool close_first(struct engine *engine, enum phase phase, const struct client *client) {
  struct connection *c = phase == BUSY ? engine->phases[phase].last : engine->phases[phase].first;
  while (c && c->client != client) c = phase == BUSY ? c->prev : c->next;
  if (c) close_connection(engine, c, CLIENT_LEFT);
  return c != NULL;
}

// Closes a connection of the client that has most: one that waits for a request, else one that has sent none, else one that is answered,
// where its client has more than the newcomer's would have.
static bool make_room(struct engine *engine, uint32_t own) {
  static const enum phase order[] = {IDLE, FRESH, BUSY};
  for (size_t i = 0; i < 3; i++) {
    const struct client *crowded = NULL;
    for (struct connection *c = engine->phases[order[i]].first; c; c = c->next) {
      if (crowded == NULL || c->client->held > crowded->held) crowded = c->client;
    }
    if (crowded == NULL || (order[i] == BUSY && crowded->held < own + 2)) continue;
    if (close_first(engine, order[i], crowded)) return true;
  }
  return false;
}

static bool has_place(struct engine *engine, const struct client *client) {
  if (client->held >= engine->most_each && !close_first(engine, IDLE, client) && !close_first(engine, FRESH, client)) return false;
  return engine->held < engine->most || make_room(engine, client->held);
}

static struct connection *new_connection(struct engine *engine) {
  struct connection *c = engine->free_slots;
  if (c != NULL) {
    engine->free_slots = c->next;
  } else {
    if (engine->used_slots == engine->slots) return NULL;
    c = &engine->connections[engine->used_slots];
    c->slot = engine->used_slots++;
  }
  uint32_t slot = c->slot, generation = c->generation;
  *c = (struct connection){.slot = slot, .generation = generation, .is_readable = true};
  c->file.fd = -1;
  return c;
}

static void admit(struct engine *engine, int fd, uint32_t ip) {
  struct client *client = client_of(engine, ip);
  if (client == NULL) {
    close(fd);
    return;
  }
  // So that making room for it does not take its client away.
  client->connections++;
  bool has = has_place(engine, client);
  struct connection *c = new_connection(engine);
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
  if (c == NULL || epoll_ctl(engine->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    if (c != NULL) c->next = engine->free_slots, engine->free_slots = c;
    if (!has) engine->refused++;
    leave_client(engine, client);
    close(fd);
    return;
  }
  c->fd = fd;
  c->client = client;
  client->held++;
  engine->held++;
  enter(engine, c, FRESH);
  if (has) {
    queue(engine, c);
    return;
  }
  engine->refused++;
  refuse(engine, c, engine->crowded);
}

static void accept_some(struct engine *engine, struct listener *listener) {
  for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int fd = accept4(listener->fd, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      admit(engine, fd, address.sin_family == AF_INET ? ntohl(address.sin_addr.s_addr) : 0);
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      // Until the next tick: others may have given descriptors back.
      make_room(engine, 0);
      struct epoll_event none = {.events = 0, .data.ptr = listener};
      listener->is_paused = epoll_ctl(engine->epoll, EPOLL_CTL_MOD, listener->fd, &none) == 0;
    }
    if (errno != EINTR && errno != ECONNABORTED) return;
  }
}

// ---- the loop

static void call_javascript(struct engine *engine) {
  if (engine->records_length == 0 || engine->is_closed) return;
  engine->hits_waiting = 0;
  if (engine->on_records != NULL) engine->on_records(engine);
}

static void take_event(struct engine *engine, const struct epoll_event *event) {
  struct listener *listener = event->data.ptr;
  if (listener >= engine->listeners && listener < engine->listeners + MOST_LISTENERS) {
    accept_some(engine, listener);
    return;
  }
  struct connection *c = event->data.ptr;
  // It was closed by an earlier event of this batch.
  if (c->phase == FREE) return;
  if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) c->is_readable = true;
  if (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) c->has_ended = true;
  // One that waits for its turn, or whose answer is being made, is visited then.
  if (!c->is_queued && !c->is_asked) visit(engine, c);
}

static void visit_ready(struct engine *engine) {
  struct connection *last = engine->ready_last;
  while (engine->ready_first != NULL) {
    struct connection *c = engine->ready_first;
    engine->ready_first = c->ready;
    if (c->ready == NULL) engine->ready_last = NULL;
    c->is_queued = false;
    if (c->phase == FREE) c->next = engine->free_slots, engine->free_slots = c;
    else visit(engine, c);
    if (c == last) return;
  }
}

bool engine_turn(struct engine *engine) {
  if (engine->is_closed) return false;
  int64_t end = now_ms() + TURN_MS;
  struct epoll_event events[EVENTS_AT_ONCE];
  do {
    engine->now = now_ms();
    int count = epoll_wait(engine->epoll, events, EVENTS_AT_ONCE, 0);
    engine->turn++;
    for (int i = 0; i < count; i++) take_event(engine, &events[i]);
    visit_ready(engine);
    // Answers from memory alone can wait for more of their kind.
    if (engine->records_length > engine->hits_waiting * HIT_RECORD_BYTES) call_javascript(engine);
    if (engine->is_closed || (count <= 0 && engine->ready_first == NULL)) break;
  } while (engine->now < end);
  return !engine->is_closed && engine->ready_first != NULL;
}

// Ends what has lasted too long in its phase. What is made by JavaScript is waited for.
static void end_overdue(struct engine *engine) {
  struct connection *c;
  while ((c = engine->phases[LINGERING].first) && engine->now - c->since > LINGER_MS) close_connection(engine, c, CLIENT_LEFT);
  while ((c = engine->phases[IDLE].first) && engine->now - c->since > engine->idle_ms) close_connection(engine, c, CLIENT_LEFT);
  while ((c = engine->phases[FRESH].first) && engine->now - c->since > engine->head_ms) {
    refuse(engine, c, engine->timed_out);
  }
  while ((c = engine->phases[BUSY].first) && engine->now - c->since > engine->stall_ms) {
    if (c->is_sending) close_connection(engine, c, STALLED);
    else enter(engine, c, BUSY);
  }
}

static void look_at_draining(struct engine *engine) {
  if (engine->draining == 0) return;
  for (struct connection *c = engine->phases[BUSY].first, *next; c; c = next) {
    next = c->next;
    if (c->is_draining && engine->now >= c->look_at) queue(engine, c);
  }
}

static void resume_listeners(struct engine *engine) {
  for (size_t i = 0; i < engine->listener_count; i++) {
    struct listener *listener = &engine->listeners[i];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = listener};
    if (listener->is_paused) listener->is_paused = epoll_ctl(engine->epoll, EPOLL_CTL_MOD, listener->fd, &event) != 0;
  }
}

bool engine_tick(struct engine *engine) {
  if (engine->is_closed) return false;
  engine->now = now_ms();
  if (engine->now / ENGINE_TICK_MS != (int64_t)engine->tick) {
    engine->tick = (uint64_t)(engine->now / ENGINE_TICK_MS);
    engine->hits = 0;
    end_overdue(engine);
    resume_listeners(engine);
    call_javascript(engine);
  }
  if (!engine->is_closed) look_at_draining(engine);
  return engine_turn(engine);
}

// ---- what JavaScript asks for

struct engine *engine_open(const struct limits *limits) {
  struct engine *engine = calloc(1, sizeof *engine);
  if (engine == NULL) return NULL;
  engine->slots = limits->most + MOST_LINGERING + EVENTS_AT_ONCE;
  if (engine->slots > 65536) engine->slots = 65536;
  engine->connections = calloc(engine->slots, sizeof *engine->connections);
  engine->epoll = engine->connections == NULL ? -1 : epoll_create1(EPOLL_CLOEXEC);
  if (engine->epoll < 0) {
    free(engine->connections);
    free(engine);
    return NULL;
  }
  engine->most = limits->most;
  engine->most_each = limits->most_each;
  engine->head_ms = limits->head_ms;
  engine->idle_ms = limits->idle_ms;
  engine->stall_ms = limits->stall_ms;
  engine->crowded = limits->crowded;
  engine->timed_out = limits->timed_out;
  engine->too_large = limits->too_large;
  engine->now = now_ms();
  return engine;
}

void engine_close(struct engine *engine) {
  if (engine->is_closed) return;
  for (uint32_t i = 0; i < engine->used_slots; i++) {
    if (engine->connections[i].phase != FREE) close_connection(engine, &engine->connections[i], CLIENT_LEFT);
  }
  // The ends of the transfers, whose files may be closed now.
  call_javascript(engine);
  engine->is_closed = true;
  for (size_t i = 0; i < engine->listener_count; i++) close(engine->listeners[i].fd);
  engine->listener_count = 0;
  close(engine->epoll);
  forget_entries(engine);
}

void engine_free(struct engine *engine) {
  engine_close(engine);
  drop(&engine->crowded);
  drop(&engine->timed_out);
  drop(&engine->too_large);
  free(engine->connections);
  free(engine->records);
  free(engine);
}

int engine_listen(struct engine *engine, uint32_t ip, uint16_t port, bool shares_port) {
  errno = EMFILE;
  if (engine->is_closed || engine->listener_count == MOST_LISTENERS) return -1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int yes = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip)};
  socklen_t length = sizeof address;
  struct listener *listener = &engine->listeners[engine->listener_count];
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = listener};
  // Accepted sockets inherit TCP_NODELAY.
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) != 0 ||
      (shares_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) != 0) ||
      bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4096) != 0 ||
      getsockname(fd, (struct sockaddr *)&address, &length) != 0 || epoll_ctl(engine->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    int why = errno;
    close(fd);
    errno = why;
    return -1;
  }
  *listener = (struct listener){.fd = fd};
  engine->listener_count++;
  return ntohs(address.sin_port);
}

// The connection whose request JavaScript answers; NULL where it is gone.
static struct connection *asked(struct engine *engine, double id) {
  struct connection *c = engine->is_closed ? NULL : by_id(engine, id);
  return c != NULL && c->is_asked ? c : NULL;
}

bool engine_answer(struct engine *engine, double id, struct blob *head, struct blob *body, bool closes) {
  struct connection *c = asked(engine, id);
  if (c == NULL) {
    drop(&head);
    drop(&body);
    return false;
  }
  engine->now = now_ms();
  c->closes = c->closes || closes;
  begin_answer(engine, c, head, body);
  enter(engine, c, BUSY);
  visit(engine, c);
  return true;
}

bool engine_send(struct engine *engine, double id, struct blob *head, const struct file *file) {
  struct connection *c = asked(engine, id);
  if (c == NULL) {
    drop(&head);
    return false;
  }
  engine->now = now_ms();
  begin_answer(engine, c, head, NULL);
  c->file = *file;
  c->file.is_begun = false;
  c->file.copied = 0;
  (void)posix_fadvise(file->fd, file->at, file->left, POSIX_FADV_SEQUENTIAL);
  enter(engine, c, BUSY);
  visit(engine, c);
  return true;
}

static struct connection *sending(struct engine *engine, double id) {
  struct connection *c = engine->is_closed ? NULL : by_id(engine, id);
  return c != NULL && c->is_sending && !c->is_ours ? c : NULL;
}

bool engine_cut(struct engine *engine, double id) {
  struct connection *c = sending(engine, id);
  if (c != NULL) close_connection(engine, c, CUT);
  return c != NULL;
}

double engine_progress(struct engine *engine, double id) {
  const struct connection *c = sending(engine, id);
  return c == NULL ? -1 : (double)c->body_bytes;
}

void engine_keep(struct engine *engine, struct kept kept) {
  size_t bytes = kept.head->length + kept.body->length;
  if (engine->entry_count >= MOST_ENTRIES || engine->entry_bytes + bytes > MOST_ENTRY_BYTES) forget_entries(engine);
  struct entry *entry = calloc(1, sizeof *entry);
  char *path = strdup(kept.path);
  if (engine->is_closed || entry == NULL || path == NULL || bytes > MOST_ENTRY_BYTES) {
    free(entry);
    free(path);
    drop(&kept.target);
    drop(&kept.head);
    drop(&kept.body);
    return;
  }
  // One that is there already is of an older state, and goes as it is found behind this one.
  struct entry **bucket = &engine->entries[hash_of(kept.target->bytes, kept.target->length) & (ENTRY_BUCKETS - 1)];
  *entry = (struct entry){.next = *bucket, .target = kept.target, .head = kept.head, .body = kept.body, .path = path, .token = kept.token};
  memcpy(entry->state, kept.state, sizeof entry->state);
  *bucket = entry;
  engine->entry_count++;
  engine->entry_bytes += bytes;
}

void engine_forget_kept(struct engine *engine) { forget_entries(engine); }
