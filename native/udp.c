// UDP sockets in batches, for one thread of JavaScript: one call into JavaScript for all datagrams that are there, one call out of it
// for all that are to be sent. Blocks of a file are sent straight from its mapping, a window of them with one system call.
// Nothing here reads the bytes of a mapping: the kernel does, inside sendmsg. A file that became shorter is then EFAULT, not SIGBUS.
// Every number that comes from JavaScript is checked against the table or buffer that it points into.
#define _GNU_SOURCE
#include "binding.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

// What one turn takes in: so many datagrams, each into so many bytes. A longer one is cut; it is no request of TFTP.
#define MOST_RECEIVED 256
#define DATAGRAM_BYTES 2048
// What one turn sends: so many records, and packets of so many bytes that JavaScript has made.
#define MOST_QUEUED 1024
#define ARENA_BYTES (1024 * 1024)
// Datagrams that a socket of many clients gives at a time, so that it does not keep the others waiting.
#define SHARED_AT_ONCE 64
// How often datagrams that came meanwhile are taken before the event loop does its other work.
#define ROUNDS 8

#define MOST_SOCKETS 65536
#define MOST_MAPS 4096
// What the kernel takes for one call with UDP_SEGMENT.
#define MOST_SEGMENTS 64
#define MOST_SEGMENTED 65000
#define LARGEST_BLOCK 65464
#define HEADER 4

// Words of a received datagram's record: the word `opcode << 16 | block` is 0 for what has fewer than 4 bytes.
enum { RX_SOCKET, RX_IP, RX_PORT, RX_LENGTH, RX_HEAD, RX_ERROR, RX_WORDS };
// Words of a record to be sent. With TX_MAP it is blocks TX_FIRST to TX_FIRST + TX_COUNT - 1 of a mapping, TX_SIZE bytes each; with
// PACKETS as TX_MAP it is TX_COUNT bytes of the arena from TX_FIRST on, cut into packets of TX_SIZE bytes. Afterwards TX_SENT is the
// number of blocks or packets that the kernel took, and TX_ERROR why it took no more.
enum { TX_SOCKET, TX_IP, TX_PORT, TX_MAP, TX_FIRST, TX_COUNT, TX_SIZE, TX_SENT, TX_ERROR, TX_WORDS };
#define PACKETS 0xffffffffu

typedef struct {
  int fd; // -1: no socket
  uint8_t shared;
  uint8_t unsegmented; // the device refused UDP_SEGMENT
} udp_socket;

typedef struct {
  uint8_t *at; // NULL: no mapping
  uint64_t size;
  uint32_t populating;
  uint8_t dropped;
} udp_map;

typedef struct {
  napi_env env;
  napi_ref on_turn, received, queued;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  uv_poll_t poll;
  int epoll_fd;
  uint8_t closed, polling, ending;
  uint32_t holders; // the JavaScript handle, the poll handle, populations under way
  udp_socket *sockets;
  udp_map maps[MOST_MAPS];
  uint32_t *rx;
  uint8_t *rx_bytes;
  uint32_t *tx;
  uint8_t *arena;
  uint32_t rx_count;
} udp_batch;

static napi_value fail(napi_env env, const char *message) {
  napi_throw_error(env, NULL, message);
  return NULL;
}

static napi_value number(napi_env env, int64_t value) {
  napi_value result;
  napi_create_int64(env, value, &result);
  return result;
}

static void release(udp_batch *b) {
  if (--b->holders > 0) return;
  for (uint32_t i = 0; i < MOST_MAPS; i++)
    if (b->maps[i].at != NULL) munmap(b->maps[i].at, b->maps[i].size);
  free(b->sockets);
  free(b);
}

// ---- receiving ----

static void take(udp_batch *b, uint32_t slot) {
  udp_socket *s = &b->sockets[slot];
  int most = s->shared ? SHARED_AT_ONCE : 1;
  for (int i = 0; i < most && b->rx_count < MOST_RECEIVED && s->fd >= 0; i++) {
    uint32_t *record = b->rx + b->rx_count * RX_WORDS;
    uint8_t *into = b->rx_bytes + b->rx_count * DATAGRAM_BYTES;
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    ssize_t got = recvfrom(s->fd, into, DATAGRAM_BYTES, MSG_DONTWAIT, (struct sockaddr *)&from, &size);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    record[RX_SOCKET] = slot;
    record[RX_ERROR] = got < 0 ? errno : 0;
    record[RX_LENGTH] = got < 0 ? 0 : got;
    record[RX_IP] = got < 0 ? 0 : ntohl(from.sin_addr.s_addr);
    record[RX_PORT] = got < 0 ? 0 : ntohs(from.sin_port);
    record[RX_HEAD] = got < HEADER ? 0 : (uint32_t)into[0] << 24 | into[1] << 16 | into[2] << 8 | into[3];
    b->rx_count++;
    if (got < 0) return;
  }
}

// Takes what is there, without waiting; whether there was anything.
static int take_all(udp_batch *b) {
  struct epoll_event events[MOST_RECEIVED];
  int ready = epoll_wait(b->epoll_fd, events, MOST_RECEIVED, 0);
  b->rx_count = 0;
  for (int i = 0; i < ready; i++) take(b, events[i].data.u32);
  return b->rx_count > 0;
}

static void on_readable(uv_poll_t *poll, int status, int events) {
  udp_batch *b = poll->data;
  (void)status;
  (void)events;
  for (int round = 0; round < ROUNDS && !b->closed && take_all(b); round++) {
    napi_handle_scope scope;
    napi_open_handle_scope(b->env, &scope);
    napi_value callback, global, count, result;
    napi_get_reference_value(b->env, b->on_turn, &callback);
    napi_get_global(b->env, &global);
    napi_create_uint32(b->env, b->rx_count, &count);
    napi_status called = napi_make_callback(b->env, b->context, global, callback, 1, &count, &result);
    if (called == napi_pending_exception) {
      napi_value error;
      if (napi_get_and_clear_last_exception(b->env, &error) == napi_ok) napi_fatal_exception(b->env, error);
    }
    napi_close_handle_scope(b->env, scope);
    if (called != napi_ok) return;
  }
}

// ---- sending ----

typedef struct {
  struct sockaddr_in to;
  struct msghdr message;
  union {
    char bytes[CMSG_SPACE(sizeof(uint16_t))];
    struct cmsghdr align;
  } control;
} envelope;

static void address(envelope *e, const uint32_t *record) {
  memset(&e->to, 0, sizeof e->to);
  memset(&e->message, 0, sizeof e->message);
  e->to.sin_family = AF_INET;
  e->to.sin_port = htons((uint16_t)record[TX_PORT]);
  e->to.sin_addr.s_addr = htonl(record[TX_IP]);
  e->message.msg_name = &e->to;
  e->message.msg_namelen = sizeof e->to;
}

static void segment(envelope *e, uint16_t size) {
  e->message.msg_control = e->control.bytes;
  e->message.msg_controllen = sizeof e->control.bytes;
  struct cmsghdr *c = CMSG_FIRSTHDR(&e->message);
  c->cmsg_level = SOL_UDP;
  c->cmsg_type = UDP_SEGMENT;
  c->cmsg_len = CMSG_LEN(sizeof size);
  memcpy(CMSG_DATA(c), &size, sizeof size);
}

// Whether the kernel took it: 0, or the error.
static int post(udp_socket *s, envelope *e) {
  while (sendmsg(s->fd, &e->message, MSG_DONTWAIT) < 0)
    if (errno != EINTR) return errno;
  return 0;
}

// What the kernel says where a device, a route or the kernel itself does not segment: packets leave one by one from then on.
static int refuses_segments(int error) {
  return error == EIO || error == EINVAL || error == EOPNOTSUPP || error == EMSGSIZE || error == ENOPROTOOPT;
}

// How many packets of `packet` bytes go into one call.
static uint32_t segments_of(const udp_socket *s, uint32_t packet) {
  if (s->unsegmented) return 1;
  uint32_t most = MOST_SEGMENTED / packet;
  return most < 1 ? 1 : most > MOST_SEGMENTS ? MOST_SEGMENTS : most;
}

static int send_blocks(udp_batch *b, udp_socket *s, uint32_t *record) {
  uint32_t block_size = record[TX_SIZE], count = record[TX_COUNT], first = record[TX_FIRST];
  if (record[TX_MAP] >= MOST_MAPS || block_size < 1 || block_size > LARGEST_BLOCK || first < 1 || count > UINT32_MAX - first) return EINVAL;
  const udp_map *map = &b->maps[record[TX_MAP]];
  if (map->at == NULL || map->dropped) return EINVAL;
  while (record[TX_SENT] < count) {
    uint8_t headers[MOST_SEGMENTS][HEADER];
    struct iovec parts[2 * MOST_SEGMENTS];
    uint32_t left = count - record[TX_SENT], most = segments_of(s, HEADER + block_size), n = left < most ? left : most;
    for (uint32_t i = 0; i < n; i++) {
      uint32_t block = first + record[TX_SENT] + i;
      uint64_t from = (uint64_t)(block - 1) * block_size;
      // The block that ends the file may be empty; after it there is none.
      if (from > map->size) return EINVAL;
      uint64_t rest = map->size - from;
      headers[i][0] = 0;
      headers[i][1] = 3;
      headers[i][2] = block >> 8 & 0xff;
      headers[i][3] = block & 0xff;
      parts[2 * i] = (struct iovec){headers[i], HEADER};
      parts[2 * i + 1] = (struct iovec){map->at + from, rest < block_size ? rest : block_size};
      if (rest < block_size && i + 1 < n) return EINVAL;
    }
    envelope e;
    address(&e, record);
    e.message.msg_iov = parts;
    e.message.msg_iovlen = 2 * n;
    if (n > 1) segment(&e, HEADER + block_size);
    int error = post(s, &e);
    if (error == 0) record[TX_SENT] += n;
    else if (n > 1 && refuses_segments(error)) s->unsegmented = 1;
    else return error;
  }
  return 0;
}

static int send_packets(udp_batch *b, udp_socket *s, uint32_t *record) {
  uint32_t at = record[TX_FIRST], length = record[TX_COUNT], size = record[TX_SIZE];
  if (at > ARENA_BYTES || length > ARENA_BYTES - at || size < 1 || size > UINT16_MAX) return EINVAL;
  uint32_t done = 0;
  while (done < length) {
    uint64_t most = (uint64_t)segments_of(s, size) * size;
    uint32_t left = length - done, now = left < most ? left : most;
    struct iovec part = {b->arena + at + done, now};
    envelope e;
    address(&e, record);
    e.message.msg_iov = &part;
    e.message.msg_iovlen = 1;
    if (now > size) segment(&e, size);
    int error = post(s, &e);
    if (error == 0) {
      done += now;
      record[TX_SENT] += (now + size - 1) / size;
    } else if (now > size && refuses_segments(error)) s->unsegmented = 1;
    else return error;
  }
  return 0;
}

// ---- calls from JavaScript ----

// The arguments of a call: the batch, then numbers. NULL after an exception.
static udp_batch *arguments(napi_env env, napi_callback_info info, size_t count, double *numbers, napi_value *last) {
  napi_value values[8];
  size_t given = 8;
  void *b = NULL;
  if (napi_get_cb_info(env, info, &given, values, NULL, NULL) != napi_ok || given < count + 1 ||
      napi_get_value_external(env, values[0], &b) != napi_ok || b == NULL) {
    fail(env, "a batch and its arguments are needed");
    return NULL;
  }
  for (size_t i = 0; i < count; i++) {
    if (napi_get_value_double(env, values[i + 1], &numbers[i]) != napi_ok || !(numbers[i] >= 0 && numbers[i] <= 9007199254740991.0)) {
      fail(env, "a number is out of range");
      return NULL;
    }
  }
  if (last != NULL) *last = given > count + 1 ? values[count + 1] : NULL;
  return b;
}

static void stop_polling(udp_batch *b);

static void after_poll(uv_handle_t *handle) {
  udp_batch *b = handle->data;
  if (b->cleanup != NULL) napi_remove_async_cleanup_hook(b->cleanup);
  release(b);
}

static void close_all(udp_batch *b) {
  if (b->closed) return;
  b->closed = 1;
  for (uint32_t i = 0; i < MOST_SOCKETS; i++)
    if (b->sockets[i].fd >= 0) close(b->sockets[i].fd), b->sockets[i].fd = -1;
  stop_polling(b);
  close(b->epoll_fd);
}

static void stop_polling(udp_batch *b) {
  uv_poll_stop(&b->poll);
  uv_close((uv_handle_t *)&b->poll, after_poll);
}

static void on_cleanup(napi_async_cleanup_hook_handle handle, void *data) {
  udp_batch *b = data;
  (void)handle;
  close_all(b);
}

static void on_collected(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  release(data);
}

static void *buffer(napi_env env, napi_value into, const char *name, size_t bytes) {
  void *at = NULL;
  napi_value made;
  if (napi_create_arraybuffer(env, bytes, &at, &made) != napi_ok) return NULL;
  napi_set_named_property(env, into, name, made);
  return at;
}

// udpOpen(on_turn): a batch with its buffers. `on_turn(count)` is called from the event loop.
static napi_value udp_open(napi_env env, napi_callback_info info) {
  napi_value callback, result, handle, name;
  size_t given = 1;
  napi_valuetype type;
  napi_get_cb_info(env, info, &given, &callback, NULL, NULL);
  if (given < 1 || napi_typeof(env, callback, &type) != napi_ok || type != napi_function) return fail(env, "a function is needed");
  udp_batch *b = calloc(1, sizeof *b);
  udp_socket *sockets = calloc(MOST_SOCKETS, sizeof *sockets);
  int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  uv_loop_t *loop = NULL;
  if (b == NULL || sockets == NULL || epoll_fd < 0 || napi_get_uv_event_loop(env, &loop) != napi_ok ||
      uv_poll_init(loop, &b->poll, epoll_fd) != 0) {
    free(b);
    free(sockets);
    if (epoll_fd >= 0) close(epoll_fd);
    return fail(env, "no descriptor or memory for a batch");
  }
  b->env = env;
  b->epoll_fd = epoll_fd;
  b->sockets = sockets;
  for (uint32_t i = 0; i < MOST_SOCKETS; i++) sockets[i].fd = -1;
  b->poll.data = b;
  b->holders = 2;
  napi_create_object(env, &result);
  b->rx = buffer(env, result, "received", MOST_RECEIVED * RX_WORDS * sizeof(uint32_t));
  b->rx_bytes = buffer(env, result, "datagrams", MOST_RECEIVED * DATAGRAM_BYTES);
  b->tx = buffer(env, result, "queued", MOST_QUEUED * TX_WORDS * sizeof(uint32_t));
  b->arena = buffer(env, result, "arena", ARENA_BYTES);
  // The buffers live as long as the object that names them.
  napi_create_reference(env, result, 1, &b->received);
  napi_create_reference(env, callback, 1, &b->on_turn);
  napi_create_string_utf8(env, "reveille:udp", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, result, name, &b->context);
  napi_create_external(env, b, on_collected, NULL, &handle);
  napi_set_named_property(env, result, "handle", handle);
  napi_add_async_cleanup_hook(env, on_cleanup, b, &b->cleanup);
  uv_poll_start(&b->poll, UV_READABLE, on_readable);
  return result;
}

// udpClose(batch): closes all its sockets.
static napi_value udp_close(napi_env env, napi_callback_info info) {
  udp_batch *b = arguments(env, info, 0, NULL, NULL);
  if (b == NULL || b->closed) return NULL;
  close_all(b);
  napi_delete_reference(env, b->on_turn);
  napi_delete_reference(env, b->received);
  napi_async_destroy(env, b->context);
  return NULL;
}

// udpAdd(batch, slot, fd, shared): takes over a socket; 0, or the error. `shared`: of many clients.
static napi_value udp_add(napi_env env, napi_callback_info info) {
  double n[3];
  udp_batch *b = arguments(env, info, 3, n, NULL);
  if (b == NULL) return NULL;
  if (b->closed || n[0] >= MOST_SOCKETS || n[1] > INT32_MAX || b->sockets[(uint32_t)n[0]].fd >= 0) return number(env, EINVAL);
  uint32_t slot = n[0];
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = slot};
  if (epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, (int)n[1], &event) < 0) return number(env, errno);
  b->sockets[slot] = (udp_socket){.fd = (int)n[1], .shared = n[2] != 0};
  return number(env, 0);
}

// udpRemove(batch, slot): closes a socket.
static napi_value udp_remove(napi_env env, napi_callback_info info) {
  double n[1];
  udp_batch *b = arguments(env, info, 1, n, NULL);
  if (b == NULL || b->closed || n[0] >= MOST_SOCKETS) return NULL;
  udp_socket *s = &b->sockets[(uint32_t)n[0]];
  if (s->fd >= 0) close(s->fd);
  s->fd = -1;
  return NULL;
}

// udpSend(batch, count): sends the first records; how many of them did not leave whole.
static napi_value udp_send(napi_env env, napi_callback_info info) {
  double n[1];
  udp_batch *b = arguments(env, info, 1, n, NULL);
  if (b == NULL) return NULL;
  if (n[0] > MOST_QUEUED) return fail(env, "more records than there is room for");
  uint32_t refused = 0, count = n[0];
  for (uint32_t i = 0; i < count; i++) {
    uint32_t *record = b->tx + i * TX_WORDS;
    record[TX_SENT] = 0;
    udp_socket *s = record[TX_SOCKET] < MOST_SOCKETS ? &b->sockets[record[TX_SOCKET]] : NULL;
    if (b->closed || s == NULL || s->fd < 0) record[TX_ERROR] = EBADF;
    else if (record[TX_PORT] < 1 || record[TX_PORT] > UINT16_MAX) record[TX_ERROR] = EINVAL;
    else if (record[TX_MAP] == PACKETS) record[TX_ERROR] = send_packets(b, s, record);
    else record[TX_ERROR] = send_blocks(b, s, record);
    refused += record[TX_ERROR] != 0;
  }
  return number(env, refused);
}

// udpMap(batch, fd, size): maps a file; its number, or the error below zero. The descriptor stays the caller's.
static napi_value udp_map_file(napi_env env, napi_callback_info info) {
  double n[2];
  udp_batch *b = arguments(env, info, 2, n, NULL);
  if (b == NULL) return NULL;
  struct stat about;
  if (b->closed || n[0] > INT32_MAX || n[1] < 1) return number(env, -EINVAL);
  if (fstat((int)n[0], &about) < 0) return number(env, -errno);
  if (!S_ISREG(about.st_mode) || about.st_size != (off_t)n[1]) return number(env, -EINVAL);
  for (uint32_t i = 0; i < MOST_MAPS; i++) {
    if (b->maps[i].at != NULL) continue;
    void *at = mmap(NULL, (size_t)n[1], PROT_READ, MAP_SHARED, (int)n[0], 0);
    if (at == MAP_FAILED) return number(env, -errno);
    b->maps[i] = (udp_map){.at = at, .size = (uint64_t)n[1]};
    return number(env, i);
  }
  return number(env, -EMFILE);
}

static void drop_map(udp_map *map) {
  munmap(map->at, map->size);
  memset(map, 0, sizeof *map);
}

// udpUnmap(batch, map): nothing of it is sent any more.
static napi_value udp_unmap(napi_env env, napi_callback_info info) {
  double n[1];
  udp_batch *b = arguments(env, info, 1, n, NULL);
  if (b == NULL || n[0] >= MOST_MAPS) return NULL;
  udp_map *map = &b->maps[(uint32_t)n[0]];
  if (map->at == NULL) return NULL;
  if (map->populating > 0) map->dropped = 1;
  else drop_map(map);
  return NULL;
}

typedef struct {
  udp_batch *batch;
  udp_map *map;
  uint8_t *from;
  size_t length;
  napi_async_work work;
  napi_deferred deferred;
  int error;
} population;

static void populate(napi_env env, void *data) {
  population *p = data;
  (void)env;
  p->error = madvise(p->from, p->length, MADV_POPULATE_READ) < 0 ? errno : 0;
  // A kernel before 5.14 does not know it: then the pages are read as they are sent.
  if (p->error == EINVAL) p->error = 0;
}

static void populated(napi_env env, napi_status status, void *data) {
  population *p = data;
  (void)status;
  if (--p->map->populating == 0 && p->map->dropped) drop_map(p->map);
  napi_resolve_deferred(env, p->deferred, number(env, p->error));
  napi_delete_async_work(env, p->work);
  release(p->batch);
  free(p);
}

// udpPopulate(batch, map, from, length): reads a part of the file into memory, in another thread; a promise of 0 or of the error.
static napi_value udp_populate(napi_env env, napi_callback_info info) {
  double n[3];
  udp_batch *b = arguments(env, info, 3, n, NULL);
  if (b == NULL) return NULL;
  if (n[0] >= MOST_MAPS) return fail(env, "there is no such mapping");
  udp_map *map = &b->maps[(uint32_t)n[0]];
  if (map->at == NULL || map->dropped || n[1] > map->size || n[2] > map->size - n[1]) return fail(env, "there is no such part of a mapping");
  population *p = calloc(1, sizeof *p);
  if (p == NULL) return fail(env, "no memory");
  uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), from = (uint64_t)n[1] / page * page;
  *p = (population){.batch = b, .map = map, .from = map->at + from, .length = (uint64_t)n[1] + (uint64_t)n[2] - from};
  napi_value promise, name;
  napi_create_promise(env, &p->deferred, &promise);
  napi_create_string_utf8(env, "reveille:populate", NAPI_AUTO_LENGTH, &name);
  napi_create_async_work(env, NULL, name, populate, populated, p, &p->work);
  map->populating++;
  b->holders++;
  napi_queue_async_work(env, p->work);
  return promise;
}

static const struct export functions[] = {{"udpOpen", udp_open},     {"udpClose", udp_close}, {"udpAdd", udp_add},     {"udpRemove", udp_remove},
                                           {"udpSend", udp_send},     {"udpMap", udp_map_file}, {"udpUnmap", udp_unmap}, {"udpPopulate", udp_populate}};

bool export_udp(napi_env env, napi_value exports) {
  return export_functions(env, exports, functions, sizeof functions / sizeof *functions);
}
