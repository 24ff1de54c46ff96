/*
 * Downloads of one file over HTTP/1.1 with keep-alive, as cheaply as one thread can do them: the kernel drops the bodies (MSG_TRUNC of tcp(7)) and nothing copies them.
 *
 *   http SERVER PORT PATH --clients N --seconds S [--bytes LENGTH] [--first ADDRESS] [--addresses N]
 *
 * The clients come from ADDRESS and those that follow it, in turns.
 * Each client asks again as soon as it has a whole answer. After S seconds no more bytes count. A status other than 200, or a body that is not LENGTH
 * bytes long, is a failure. Prints one line of JSON and exits 1 if anything failed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, HEAD = 4096 };
/* At most so many bytes are dropped at once, so that many clients have their turns. */
#define PIECE (1 << 20)

struct client {
  int fd;
  char head[HEAD];
  int has;       /* bytes of the head */
  int64_t left;  /* bytes of the body that are to come; -1: the head is not whole */
};

static char request[1024];
static int request_bytes;
static int64_t expected = -1;
static uint64_t bytes, answers, failures;
static int epoll;
static struct sockaddr_in server;
static uint32_t first_address;
static int addresses = 1, turn;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *what) {
  perror(what);
  exit(2);
}

static void ask(struct client *c) {
  c->has = 0;
  c->left = -1;
  if (send(c->fd, request, request_bytes, MSG_NOSIGNAL) != request_bytes) die("send");
}

static void start(struct client *c) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (first_address) {
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(first_address + turn++ % addresses);
    if (bind(c->fd, (struct sockaddr *)&from, sizeof from) < 0) die("bind");
  }
  if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&server, sizeof server) < 0) die("connect");
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) < 0) die("epoll_ctl");
  ask(c);
}

static void again(struct client *c, const char *why) {
  if (failures++ < 5) fprintf(stderr, "http: %s: %.60s\n", why, c->head);
  close(c->fd);
  /* A server that refuses is not asked in a loop. */
  usleep(1000);
  start(c);
}

static void whole(struct client *c) {
  answers++;
  ask(c);
}

static void read_head(struct client *c) {
  int n = recv(c->fd, c->head + c->has, HEAD - 1 - c->has, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    again(c, "no head");
    return;
  }
  c->has += n;
  c->head[c->has] = 0;
  char *end = strstr(c->head, "\r\n\r\n");
  if (!end) {
    if (c->has >= HEAD - 1) again(c, "the head is too long");
    return;
  }
  char *length = strcasestr(c->head, "\r\ncontent-length:");
  if (strncmp(c->head, "HTTP/1.1 200", 12) || !length || length > end) {
    again(c, "not what was asked for");
    return;
  }
  c->left = atoll(length + 17);
  if (expected >= 0 && c->left != expected) {
    again(c, "another length");
    return;
  }
  int came = c->has - (end + 4 - c->head);
  bytes += came;
  c->left -= came;
  if (c->left == 0) whole(c);
}

static void drop_body(struct client *c) {
  int64_t most = c->left < PIECE ? c->left : PIECE;
  ssize_t n = recv(c->fd, NULL, most, MSG_TRUNC | MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    again(c, "the body was cut");
    return;
  }
  bytes += n;
  c->left -= n;
  if (c->left == 0) whole(c);
}

int main(int argc, char **argv) {
  int clients = 1;
  double seconds = 1;
  if (argc < 4) {
    fprintf(stderr, "usage: http SERVER PORT PATH --clients N --seconds S [--bytes LENGTH] [--first ADDRESS] [--addresses N]\n");
    return 2;
  }
  server.sin_family = AF_INET;
  server.sin_port = htons(atoi(argv[2]));
  if (!inet_aton(argv[1], &server.sin_addr)) die(argv[1]);
  request_bytes = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", argv[3], argv[1]);
  for (int i = 4; i + 1 < argc; i += 2) {
    if (!strcmp(argv[i], "--clients")) clients = atoi(argv[i + 1]);
    else if (!strcmp(argv[i], "--seconds")) seconds = atof(argv[i + 1]);
    else if (!strcmp(argv[i], "--addresses")) addresses = atoi(argv[i + 1]);
    else if (!strcmp(argv[i], "--first")) {
      struct in_addr address;
      if (!inet_aton(argv[i + 1], &address)) die(argv[i + 1]);
      first_address = ntohl(address.s_addr);
    } else if (!strcmp(argv[i], "--bytes")) expected = atoll(argv[i + 1]);
    else {
      fprintf(stderr, "http: %s is unknown\n", argv[i]);
      return 2;
    }
  }
  struct client *all = calloc(clients > 0 ? clients : 1, sizeof *all);
  if (clients < 1 || addresses < 1 || !all || (epoll = epoll_create1(EPOLL_CLOEXEC)) < 0) die("start");
  for (int i = 0; i < clients; i++) start(&all[i]);

  double began = now(), until = began + seconds;
  bytes = 0;
  while (now() < until) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll, events, EVENTS, 100);
    for (int i = 0; i < ready; i++) {
      struct client *c = events[i].data.ptr;
      if (c->left < 0) read_head(c);
      else drop_body(c);
    }
  }
  double took = now() - began;
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  printf("{\"seconds\":%.6f,\"bytes\":%llu,\"answers\":%llu,\"failed\":%llu,\"cpuSeconds\":%.3f}\n", took,
         (unsigned long long)bytes, (unsigned long long)answers, (unsigned long long)failures, cpu);
  return failures ? 1 : 0;
}
