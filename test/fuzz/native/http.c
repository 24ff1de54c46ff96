// Fuzzes the engine of native/http.c with clients that send no client's bytes, under ASan and UBSan:  http SECONDS SEED
// Clients connect over loopback, send requests that are whole, cut, mutated or pipelined in pieces of any size, read little or nothing, half-close, reset. What the
// engine asks is answered from memory, from a file, not at all, or late, and transfers are cut. Heads are read from memory of exactly their length too.
#define _GNU_SOURCE
#include "../../../native/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 64
#define WAITING 256
#define FILE_BYTES 3000000

static uint64_t seed;
static uint32_t any(uint32_t below) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (uint32_t)((seed >> 11) % below);
}

static int file, small;
static char folder[] = "/tmp/reveille-fuzz-XXXXXX";
static char small_path[64];
static double waiting[WAITING];
static size_t waiting_count;
static uint64_t asked, handed, ended, hits, requests;

static const char *const pieces[] = {"GET ", "HEAD ", "POST ", "/boot/", "/boot/files/small", "/boot/files/large", "/node/v1/x", " HTTP/1.1\r\n", " HTTP/1.0\r\n",
                                     "Host: x\r\n", "Range: bytes=0-9\r\n", "If-None-Match: *\r\n", "Connection: close\r\n", "Connection: keep-alive, x\r\n",
                                     "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "X: \x01\r\n", "\r\n", "\n", "\r", ":", " ", "\t", "%", "\xff"};

static size_t request(char *into, size_t most) {
  size_t length = 0;
  const char *method = any(8) == 0 ? "HEAD" : "GET";
  const char *names[] = {"/boot/files/small", "/boot/files/large", "/boot/files/none", "/node/v1/wait", "/boot/"};
  if (any(4) != 0) {
    length = (size_t)snprintf(into, most, "%s %s HTTP/1.%u\r\nHost: x\r\n%s\r\n", method, names[any(any(3) == 0 ? 5 : 3)], any(10) != 0, any(5) ? "" : "Connection: close\r\n");
  } else {
    for (uint32_t i = any(20); i > 0; i--) {
      const char *piece = pieces[any(sizeof pieces / sizeof *pieces)];
      size_t size = strlen(piece);
      if (length + size < most) memcpy(into + length, piece, size), length += size;
    }
  }
  for (uint32_t i = any(6) == 0 ? any(5) : 0; i > 0 && length > 0; i--) into[any((uint32_t)length)] = (char)any(256);
  if (any(60) == 0 && most > 20000 + length) memset(into + length, 'x', 20000), length += 20000;
  return any(15) == 0 ? any((uint32_t)length + 1) : length;
}

// Reading a head must not touch a byte beyond it.
static void read_exactly(const char *bytes, size_t length) {
  char *copy = malloc(length == 0 ? 1 : length);
  memcpy(copy, bytes, length);
  struct head head;
  if (length > 0 && read_head(copy, length, &head) == HEAD_WHOLE && (head.length > length || head.target.at < copy || head.target.at + head.target.length > copy + length)) abort();
  free(copy);
}

static void keep(struct engine *engine) {
  struct stat stat;
  if (fstat(small, &stat) != 0) abort();
  char body[1000];
  memset(body, 's', sizeof body);
  struct kept kept = {.target = new_blob("/boot/files/small", 17), .head = new_blob("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n", 39), .body = new_blob(body, 1000), .path = small_path};
  const int64_t state[7] = {(int64_t)stat.st_dev, (int64_t)stat.st_ino, stat.st_size, stat.st_mtim.tv_sec, stat.st_mtim.tv_nsec, stat.st_ctim.tv_sec, stat.st_ctim.tv_nsec};
  memcpy(kept.state, state, sizeof state);
  engine_keep(engine, kept);
}

static void answer(struct engine *engine, double id) {
  static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n";
  struct stat stat;
  if (any(3) == 0 && fstat(file, &stat) == 0) {
    int64_t first = any(FILE_BYTES), length = 1 + any((uint32_t)(FILE_BYTES + 100 - first));
    struct file part = {.fd = file, .is_fixed = any(2), .at = first, .left = length, .size = stat.st_size, .mtime_s = stat.st_mtim.tv_sec, .mtime_ns = stat.st_mtim.tv_nsec};
    engine_send(engine, id, new_blob(head, sizeof head - 1), &part);
  } else {
    size_t length = any(2) ? any(100000) : any(10);
    struct blob *body = new_blob(NULL, length);
    memset(body->bytes, 'b', length);
    engine_answer(engine, id, new_blob(head, sizeof head - 1), any(4) == 0 ? (drop(&body), NULL) : body, any(8) == 0);
  }
}

static void on_records(struct engine *engine) {
  // As in JavaScript: what is read is a copy, since answering writes more records.
  size_t all = engine->records_length;
  uint8_t *records = malloc(all);
  memcpy(records, engine->records, all);
  engine->records_length = 0;
  for (size_t at = 0; at + 8 <= all;) {
    uint32_t start[2];
    memcpy(start, records + at, 8);
    double id;
    int32_t fd;
    if (at + 8 + start[1] > all) abort();
    switch (start[0]) {
      case 1:
        asked++;
        memcpy(&id, records + at + 8, 8);
        if (any(4) == 0 && waiting_count < WAITING) waiting[waiting_count++] = id;
        else answer(engine, id);
        break;
      case 2:
        handed++;
        memcpy(&fd, records + at + 8, 4);
        close(fd);
        break;
      case 3: ended++; break;
      case 4: hits++; break;
      default: abort();
    }
    at += (8 + start[1] + 7) & ~(size_t)7;
  }
  free(records);
}

static int client(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001u + any(20))};
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(0x7f000001u)};
  if (fd >= 0 && bind(fd, (struct sockaddr *)&from, sizeof from) == 0 && (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS)) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

static void act(int *fd, int port) {
  static char bytes[65536], sink[65536];
  if (*fd < 0) {
    *fd = client(port);
    return;
  }
  const struct linger reset = {.l_onoff = 1, .l_linger = 0};
  switch (any(12)) {
    case 0:
      if (any(3) == 0) setsockopt(*fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
      close(*fd);
      *fd = -1;
      return;
    case 1: shutdown(*fd, SHUT_WR); return;
    case 2:
    case 3:
    case 4:
    case 5: while (recv(*fd, sink, 1 + any(sizeof sink), 0) > 0 && any(4)) {} return;
    default: {
      size_t length = 0;
      for (uint32_t i = any(8) == 0 ? 30 : 1; i > 0; i--) length += request(bytes + length, length < 40000 ? sizeof bytes - length : 0), requests++;
      read_exactly(bytes, length);
      for (size_t at = 0; at < length;) {
        size_t size = any(3) ? length - at : 1 + any((uint32_t)(length - at));
        ssize_t sent = send(*fd, bytes + at, size, MSG_NOSIGNAL);
        if (sent <= 0) return;
        at += (size_t)sent;
      }
    }
  }
}

int main(int count, char **args) {
  int seconds = count > 1 ? atoi(args[1]) : 5;
  seed = count > 2 ? strtoull(args[2], NULL, 10) : (uint64_t)time(NULL);
  setvbuf(stdout, NULL, _IOLBF, 0);
  // As in Node.js: sendfile has no flag against it.
  signal(SIGPIPE, SIG_IGN);
  printf("seed %llu\n", (unsigned long long)seed);
  seed = seed * 2654435761u + 88172645463325252u;
  if (mkdtemp(folder) == NULL) abort();
  char path[64];
  snprintf(path, sizeof path, "%s/large", folder);
  snprintf(small_path, sizeof small_path, "%s/small", folder);
  file = open(path, O_RDWR | O_CREAT, 0600);
  small = open(small_path, O_RDWR | O_CREAT, 0600);
  if (ftruncate(file, FILE_BYTES) != 0 || ftruncate(small, 1000) != 0) abort();
  const struct limits limits = {.most = 40, .most_each = 8, .head_ms = 300, .idle_ms = 400, .stall_ms = 500, .crowded = new_blob("HTTP/1.1 503 x\r\n\r\n", 18), .timed_out = new_blob("HTTP/1.1 408 x\r\n\r\n", 18), .too_large = new_blob("HTTP/1.1 431 x\r\n\r\n", 18)};
  struct engine *engine = engine_open(&limits);
  engine->on_records = on_records;
  int port = engine_listen(engine, 0x7f000001u, 0, false), clients[CLIENTS];
  if (port <= 0) abort();
  memset(clients, -1, sizeof clients);
  time_t end = time(NULL) + seconds;
  uint64_t rounds = 0;
  for (; time(NULL) < end; rounds++) {
    for (int i = 0; i < 8; i++) act(&clients[any(CLIENTS)], port);
    for (int i = 0; i < 5 && engine_turn(engine); i++) {}
    if (any(10) == 0) engine_tick(engine);
    if (any(20) == 0) keep(engine);
    if (any(200) == 0) engine_forget_kept(engine);
    if (any(50) == 0 && pwrite(any(2) ? file : small, "x", 1, any(900)) != 1) abort();
    if (any(5) == 0 && waiting_count > 0) answer(engine, waiting[--waiting_count]);
    if (any(10) == 0) engine_cut(engine, any(2) ? (double)any(40) : (double)any(1000) * 65536 + any(40));
    if (any(10) == 0) engine_progress(engine, (double)seed);
    if (any(10) == 0) usleep(any(5000));
    uint32_t held = 0;
    for (uint32_t i = 0; i < engine->used_slots; i++) held += engine->connections[i].phase != FREE && engine->connections[i].phase != LINGERING;
    if (held != engine->held || held > limits.most) abort();
  }
  engine_close(engine);
  engine_free(engine);
  for (int i = 0; i < CLIENTS; i++) if (clients[i] >= 0) close(clients[i]);
  unlink(path);
  unlink(small_path);
  rmdir(folder);
  printf("rounds %llu requests %llu asked %llu handed %llu ended %llu hits %llu\n", (unsigned long long)rounds, (unsigned long long)requests, (unsigned long long)asked, (unsigned long long)handed, (unsigned long long)ended, (unsigned long long)hits);
  return asked > 0 && handed > 0 && ended > 0 && hits > 0 ? 0 : 2;
}
