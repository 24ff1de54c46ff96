/*
 * Downloads of one file over TFTP, many at once, from one thread that costs little: of each packet only the header is copied out
 * of the kernel. Each download has a port of its own, as a machine has; the addresses take turns.
 *
 *   cc -O2 -o tftpLoad tftpLoad.c
 *   tftpLoad SERVER FILE BYTES AT_ONCE DOWNLOADS BLKSIZE WINDOW FIRST_ADDRESS ADDRESSES
 *
 * Prints one line of JSON: seconds from the first request to the last block, megabytes a second over all, downloads that failed,
 * packets that had to be asked for again, and the time that a download took, in milliseconds: the median and the slowest.
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
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEADER 4
#define MOST_AT_ONCE 4096
#define BATCH 64
#define AGAIN_MS 1000
#define MOST_AGAIN 20

typedef struct {
  int fd;
  int connected;
  uint64_t block; /* the last block that came in order */
  uint64_t bytes;
  int inWindow;
  int window;
  int gap; /* whether the last ACK asked for a window again */
  double startedAt, heardAt;
  int again;
} download;

static struct sockaddr_in server;
static const char *file;
static uint64_t fileBytes;
static int blockSize, windowSize;
static uint32_t firstAddress;
static int addresses, downloads, started, ended, failed;
static uint64_t repeats;
static double *times;
static int timed, epollFd;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void request(download *d) {
  char packet[512];
  int n = 2;
  packet[0] = 0;
  packet[1] = 1;
  n += sprintf(packet + n, "%s", file) + 1;
  n += sprintf(packet + n, "octet") + 1;
  n += sprintf(packet + n, "blksize") + 1;
  n += sprintf(packet + n, "%d", blockSize) + 1;
  if (windowSize > 1) {
    n += sprintf(packet + n, "windowsize") + 1;
    n += sprintf(packet + n, "%d", windowSize) + 1;
  }
  if (sendto(d->fd, packet, n, 0, (struct sockaddr *)&server, sizeof server) < 0) die("request");
}

static void begin(download *d) {
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(firstAddress + started % addresses)};
  memset(d, 0, sizeof *d);
  d->window = 1;
  d->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (d->fd < 0 || bind(d->fd, (struct sockaddr *)&own, sizeof own) < 0) die("socket");
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = d};
  if (epoll_ctl(epollFd, EPOLL_CTL_ADD, d->fd, &event) < 0) die("epoll_ctl");
  d->startedAt = d->heardAt = now();
  started++;
  request(d);
}

static void end(download *d, int ok) {
  close(d->fd);
  d->fd = -1;
  ended++;
  if (ok) times[timed++] = now() - d->startedAt;
  else failed++;
  if (started < downloads) begin(d);
}

static void acknowledge(download *d) {
  unsigned char packet[HEADER] = {0, 4, (d->block >> 8) & 0xff, d->block & 0xff};
  d->inWindow = 0;
  send(d->fd, packet, sizeof packet, 0);
}

/* The first answer: from then on only its sender's packets come. Its options are read for the window size. */
static void meet(download *d, const struct sockaddr_in *from) {
  if (connect(d->fd, (const struct sockaddr *)from, sizeof *from) < 0) die("connect");
  d->connected = 1;
}

static void readOptions(download *d, const char *p, const char *stop) {
  while (p < stop) {
    const char *value = memchr(p, 0, stop - p);
    if (value == NULL || ++value >= stop) return;
    const char *next = memchr(value, 0, stop - value);
    if (next == NULL) return;
    if (strcasecmp(p, "windowsize") == 0) d->window = atoi(value);
    p = next + 1;
  }
}

/* One packet; false once the download has ended. */
static int take(download *d, const unsigned char *head, int length) {
  int opcode = head[1];
  if (length < HEADER || head[0] != 0) return 1;
  if (opcode == 5) {
    end(d, 0);
    return 0;
  }
  if (opcode != 3) return 1;
  uint16_t block = head[2] << 8 | head[3];
  if (block != ((d->block + 1) & 0xffff)) {
    /* A block is missing: the last one that came is acknowledged once. */
    if (d->window > 1 && !d->gap) {
      d->gap = 1;
      repeats++;
      acknowledge(d);
    }
    return 1;
  }
  d->gap = 0;
  d->block++;
  d->bytes += length - HEADER;
  d->again = 0;
  int last = length - HEADER < blockSize;
  if (++d->inWindow >= d->window || last) acknowledge(d);
  if (!last) return 1;
  end(d, d->bytes == fileBytes);
  return 0;
}

static unsigned char heads[BATCH][HEADER];
static struct mmsghdr messages[BATCH];
static struct iovec parts[BATCH];

static void readable(download *d) {
  if (!d->connected) {
    unsigned char first[2048];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    int length = recvfrom(d->fd, first, sizeof first, 0, (struct sockaddr *)&from, &size);
    if (length < HEADER) return;
    d->heardAt = now();
    meet(d, &from);
    if (first[1] == 6) {
      readOptions(d, (char *)first + 2, (char *)first + length);
      acknowledge(d);
    } else take(d, first, length);
    return;
  }
  int most = d->window > BATCH ? BATCH : d->window;
  int got = recvmmsg(d->fd, messages, most, MSG_DONTWAIT | MSG_TRUNC, NULL);
  if (got <= 0) {
    if (got < 0 && errno != EAGAIN) end(d, 0);
    return;
  }
  d->heardAt = now();
  for (int i = 0; i < got; i++)
    if (!take(d, heads[i], messages[i].msg_len)) return;
}

static void checkTimes(download *all, int atOnce) {
  double at = now();
  for (int i = 0; i < atOnce; i++) {
    download *d = &all[i];
    if (d->fd < 0 || at - d->heardAt < AGAIN_MS) continue;
    d->heardAt = at;
    repeats++;
    if (++d->again > MOST_AGAIN) end(d, 0);
    else if (d->connected) acknowledge(d);
    else request(d);
  }
}

static int byTime(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
  if (argc != 10) {
    fprintf(stderr, "tftpLoad SERVER FILE BYTES AT_ONCE DOWNLOADS BLKSIZE WINDOW FIRST_ADDRESS ADDRESSES\n");
    return 2;
  }
  server.sin_family = AF_INET;
  server.sin_port = htons(69);
  inet_pton(AF_INET, argv[1], &server.sin_addr);
  file = argv[2];
  fileBytes = strtoull(argv[3], NULL, 10);
  int atOnce = atoi(argv[4]);
  downloads = atoi(argv[5]);
  blockSize = atoi(argv[6]);
  windowSize = atoi(argv[7]);
  struct in_addr first;
  inet_pton(AF_INET, argv[8], &first);
  firstAddress = ntohl(first.s_addr);
  addresses = atoi(argv[9]);
  if (atOnce < 1 || atOnce > MOST_AT_ONCE || downloads < atOnce || addresses < 1) return 2;

  times = calloc(downloads, sizeof *times);
  download *all = calloc(atOnce, sizeof *all);
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){heads[i], HEADER};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  epollFd = epoll_create1(0);
  double start = now(), checkedAt = start;
  for (int i = 0; i < atOnce; i++) begin(&all[i]);
  while (ended < downloads) {
    struct epoll_event events[256];
    int ready = epoll_wait(epollFd, events, 256, 100);
    for (int i = 0; i < ready; i++) {
      download *d = events[i].data.ptr;
      if (d->fd >= 0) readable(d);
    }
    if (now() - checkedAt > 100) {
      checkedAt = now();
      checkTimes(all, atOnce);
    }
  }
  double seconds = (now() - start) / 1e3;
  qsort(times, timed, sizeof *times, byTime);
  printf("{\"seconds\":%.3f,\"megabytesPerSecond\":%.1f,\"failed\":%d,\"repeats\":%llu,\"medianMs\":%.0f,\"slowestMs\":%.0f}\n", seconds,
         (double)timed * fileBytes / 1e6 / seconds, failed, (unsigned long long)repeats, timed ? times[timed / 2] : 0.0, timed ? times[timed - 1] : 0.0);
  return failed > 0;
}
