/*
 * Many TFTP downloads at once (RFC 1350, 2348, 7440), as cheaply as one thread can do them: what is measured is the server.
 *
 *   tftp SERVER FILE COPY --first ADDRESS [--addresses 1] [--at-once 1] [--total 1] [--blksize 1468] [--window 1] [--compare yes]
 *
 * COPY is the file's content on this machine. Of a block only the header is copied out of the kernel, and its length counts; with --compare each block is
 * compared with COPY. The downloads come from ADDRESS and those that follow it, in turns.
 * Prints one line of JSON and exits 1 if a download failed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { RRQ = 1, DATA = 3, ACK = 4, ERROR = 5, OACK = 6 };
enum { MOST_WINDOW = 64, LONGEST = 9216, EVENTS = 256 };

/* After so long without a packet the last one is sent again. */
#define RETRY_SECONDS 1.0
#define TRIES 10

struct transfer {
  int fd;
  uint64_t got;      /* bytes in order */
  uint32_t block;    /* last block in order, not wrapped */
  uint32_t acked;    /* last block acknowledged */
  int gap;           /* whether what came last was out of order */
  int granted;       /* the window that the server granted */
  int size;          /* the block size that it granted */
  int tries;
  double began, heard;
  int open;
};

static const char *file;
static uint8_t *copy;
static uint64_t copy_bytes;
static struct sockaddr_in server;
static uint32_t first_address;
static int addresses = 1, at_once = 1, total = 1, blksize = 1468, window = 1;
static int compare;
static int begun, done, failed;
static uint64_t retries, packets;
static double *took;
static int epoll;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *what) {
  perror(what);
  exit(2);
}

static void request(struct transfer *t) {
  char packet[600];
  int n = 2;
  packet[0] = 0;
  packet[1] = RRQ;
  n += sprintf(packet + n, "%.400s", file) + 1;
  n += sprintf(packet + n, "octet") + 1;
  if (blksize != 512) {
    n += sprintf(packet + n, "blksize") + 1;
    n += sprintf(packet + n, "%d", blksize) + 1;
  }
  if (window > 1) {
    n += sprintf(packet + n, "windowsize") + 1;
    n += sprintf(packet + n, "%d", window) + 1;
  }
  if (sendto(t->fd, packet, n, 0, (struct sockaddr *)&server, sizeof server) < 0) die("sendto");
}

static void acknowledge(struct transfer *t) {
  uint8_t packet[4] = {0, ACK, t->block >> 8 & 255, t->block & 255};
  t->acked = t->block;
  /* A refused port is reported by the next call; the server is gone then, and the tries run out. */
  if (send(t->fd, packet, sizeof packet, 0) < 0 && errno != ECONNREFUSED) die("send");
}

static void begin(struct transfer *t) {
  struct sockaddr_in from = {.sin_family = AF_INET};
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = t};
  from.sin_addr.s_addr = htonl(first_address + begun % addresses);
  memset(t, 0, sizeof *t);
  begun++;
  t->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (t->fd < 0) die("socket");
  if (bind(t->fd, (struct sockaddr *)&from, sizeof from) < 0) die("bind");
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, t->fd, &event) < 0) die("epoll_ctl");
  t->granted = 1;
  t->size = 512;
  t->began = t->heard = now();
  t->open = 1;
  request(t);
}

static void end(struct transfer *t, const char *why) {
  if (why) {
    failed++;
    fprintf(stderr, "tftp: a download failed after %llu bytes: %s\n", (unsigned long long)t->got, why);
  } else {
    took[done++] = now() - t->began;
  }
  close(t->fd);
  t->open = 0;
  if (begun < total) begin(t);
}

/* The server's answer to the options: `name\0value\0`... */
static void grant(struct transfer *t, const uint8_t *p, int n) {
  const char *at = (const char *)p + 2, *limit = (const char *)p + n;
  if (p[n - 1] != 0) return;
  while (at < limit) {
    const char *name = at, *value = at + strlen(at) + 1;
    if (value >= limit) return;
    if (!strcasecmp(name, "blksize")) t->size = atoi(value);
    if (!strcasecmp(name, "windowsize")) t->granted = atoi(value);
    at = value + strlen(value) + 1;
  }
}

/* Takes one packet. Returns 1 when the transfer is over. */
static int take(struct transfer *t, const uint8_t *p, int n) {
  packets++;
  if (n < 4) return 0;
  switch (p[1]) {
    case OACK:
      if (t->block == 0) {
        grant(t, p, n);
        acknowledge(t);
      }
      return 0;
    case DATA: {
      uint16_t block = p[2] << 8 | p[3];
      if (block != ((t->block + 1) & 0xffff)) {
        /* One was lost or came twice: what came in order is acknowledged, once. */
        if (!t->gap) acknowledge(t);
        t->gap = 1;
        return 0;
      }
      n -= 4;
      if (n < 0 || n > t->size || t->got + n > copy_bytes || (compare && memcmp(copy + t->got, p + 4, n))) {
        end(t, "the content is another");
        return 1;
      }
      t->gap = 0;
      t->block++;
      t->got += n;
      if (n < t->size) {
        acknowledge(t);
        end(t, t->got == copy_bytes ? NULL : "it is too short");
        return 1;
      }
      if (t->block - t->acked >= (uint32_t)t->granted) acknowledge(t);
      return 0;
    }
    case ERROR:
      end(t, "the server refused");
      return 1;
  }
  return 0;
}

static void receive(struct transfer *t) {
  static uint8_t room[MOST_WINDOW][LONGEST];
  static struct mmsghdr messages[MOST_WINDOW];
  static struct iovec places[MOST_WINDOW];
  int count = t->granted < MOST_WINDOW ? t->granted : MOST_WINDOW;
  /* What the server says beside blocks is read whole. */
  int length = compare || t->block == 0 ? LONGEST : 4;
  t->heard = now();
  t->tries = 0;
  if (t->block == 0) {
    /* From here on the server is known by the port that it answers from. */
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    int n = recvfrom(t->fd, room[0], LONGEST, 0, (struct sockaddr *)&from, &size);
    if (n < 0) return;
    if (connect(t->fd, (struct sockaddr *)&from, sizeof from) < 0) die("connect");
    take(t, room[0], n);
    return;
  }
  if (count == 1) {
    int n = recv(t->fd, room[0], length, MSG_TRUNC);
    if (n >= 0) take(t, room[0], n);
    return;
  }
  for (int i = 0; i < count; i++) {
    places[i] = (struct iovec){room[i], length};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &places[i], .msg_iovlen = 1};
  }
  count = recvmmsg(t->fd, messages, count, MSG_TRUNC, NULL);
  for (int i = 0; i < count; i++)
    if (take(t, room[i], messages[i].msg_len)) return;
}

static void retry(struct transfer *t) {
  if (++t->tries > TRIES) {
    end(t, "the server is silent");
    return;
  }
  retries++;
  t->heard = now();
  if (t->block == 0 && t->granted == 1 && t->size == 512) request(t);
  else acknowledge(t);
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double part(double p) { return done == 0 ? 0 : took[(int)(p * (done - 1) + 0.5)]; }

static int number(const char *text) {
  int value = atoi(text);
  if (value < 1) {
    fprintf(stderr, "tftp: %s is no number above 0\n", text);
    exit(2);
  }
  return value;
}

int main(int argc, char **argv) {
  struct in_addr address;
  struct stat about;
  int fd;
  if (argc < 4) {
    fprintf(stderr, "usage: tftp SERVER FILE COPY --first ADDRESS [--addresses N] [--at-once N] [--total N] [--blksize N] [--window N] [--compare yes]\n");
    return 2;
  }
  server.sin_family = AF_INET;
  server.sin_port = htons(69);
  if (!inet_aton(argv[1], &server.sin_addr)) die(argv[1]);
  file = argv[2];
  if ((fd = open(argv[3], O_RDONLY | O_CLOEXEC)) < 0 || fstat(fd, &about) < 0) die(argv[3]);
  copy_bytes = about.st_size;
  copy = mmap(NULL, copy_bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (copy == MAP_FAILED) die("mmap");
  for (int i = 4; i + 1 < argc; i += 2) {
    if (!strcmp(argv[i], "--first")) {
      if (!inet_aton(argv[i + 1], &address)) die(argv[i + 1]);
      first_address = ntohl(address.s_addr);
    } else if (!strcmp(argv[i], "--addresses")) addresses = number(argv[i + 1]);
    else if (!strcmp(argv[i], "--at-once")) at_once = number(argv[i + 1]);
    else if (!strcmp(argv[i], "--total")) total = number(argv[i + 1]);
    else if (!strcmp(argv[i], "--blksize")) blksize = number(argv[i + 1]);
    else if (!strcmp(argv[i], "--compare")) compare = 1;
    else if (!strcmp(argv[i], "--window")) window = number(argv[i + 1]);
    else {
      fprintf(stderr, "tftp: %s is unknown\n", argv[i]);
      return 2;
    }
  }
  if (total < at_once) total = at_once;
  if (blksize + 4 > LONGEST || window > MOST_WINDOW) {
    fprintf(stderr, "tftp: blocks of %d or windows of %d are too large\n", blksize, window);
    return 2;
  }
  took = calloc(total, sizeof *took);
  struct transfer *transfers = calloc(at_once, sizeof *transfers);
  if (!took || !transfers || (epoll = epoll_create1(EPOLL_CLOEXEC)) < 0) die("start");

  double started = now(), checked = started;
  for (int i = 0; i < at_once; i++) begin(&transfers[i]);
  while (done + failed < total) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll, events, EVENTS, 100);
    for (int i = 0; i < ready; i++) {
      struct transfer *t = events[i].data.ptr;
      if (t->open) receive(t);
    }
    double time = now();
    if (time - checked < 0.1) continue;
    checked = time;
    for (int i = 0; i < at_once; i++)
      if (transfers[i].open && time - transfers[i].heard > RETRY_SECONDS) retry(&transfers[i]);
  }
  double seconds = now() - started;

  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  qsort(took, done, sizeof *took, ascending);
  printf("{\"seconds\":%.6f,\"bytes\":%llu,\"done\":%d,\"failed\":%d,\"retries\":%llu,\"packets\":%llu,\"cpuSeconds\":%.3f,\"p50\":%.6f,\"p99\":%.6f}\n",
         seconds, (unsigned long long)done * copy_bytes, done, failed, (unsigned long long)retries,
         (unsigned long long)packets, cpu, part(0.5), part(0.99));
  return failed ? 1 : 0;
}
