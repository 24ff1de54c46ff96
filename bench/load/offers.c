/*
 * Asks a DHCP server at a steady pace, as a relay would, and measures how long each OFFER takes.
 *
 *   offers SERVER RELAY FIRST_MAC MACHINES EVERY_MICROSECONDS SECONDS
 *
 * RELAY is an address of this machine: it is the giaddr, and the answers come to its port 67. The DISCOVERs come from MACHINES machines in turns, whose addresses count
 * up from FIRST_MAC in its last three bytes. Prints one line of JSON: times in milliseconds, `firstAt` in seconds since 1970; a request without an answer counts as
 * unanswered, and `longest` then is at least the time until the end.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(67)};
  struct sockaddr_in relay = {.sin_family = AF_INET, .sin_port = htons(67)};
  unsigned int mac[6];
  if (argc != 7 || !inet_aton(argv[1], &server.sin_addr) || !inet_aton(argv[2], &relay.sin_addr) ||
      sscanf(argv[3], "%x:%x:%x:%x:%x:%x", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6) {
    fprintf(stderr, "usage: offers SERVER RELAY FIRST_MAC MACHINES EVERY_MICROSECONDS SECONDS\n");
    return 2;
  }
  uint32_t base = mac[3] << 16 | mac[4] << 8 | mac[5], machines = atoi(argv[4]);
  double every = atof(argv[5]) / 1e6, length = atof(argv[6]);
  size_t most = (size_t)(length / every) + 16;
  double *sent_at = calloc(most, sizeof *sent_at), *took = calloc(most, sizeof *took);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = 4 << 20;
  if (!machines || !sent_at || !took || fd < 0 || bind(fd, (struct sockaddr *)&relay, sizeof relay) < 0) {
    perror("offers");
    return 2;
  }
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);

  uint8_t packet[300] = {1, 1, 6, 1};
  uint8_t options[] = {99, 130, 83, 99, 53, 1, 1, 55, 4, 1, 3, 51, 54, 255};
  memcpy(packet + 24, &relay.sin_addr, 4);
  memcpy(packet + 236, options, sizeof options);
  uint32_t sent = 0, answered = 0;
  double began = seconds(CLOCK_MONOTONIC), first_at = 0, now = began;
  while ((now = seconds(CLOCK_MONOTONIC)) < began + length) {
    while (sent < most && now >= began + sent * every) {
      uint32_t number = base + sent % machines, xid = htonl(sent);
      uint8_t address[6] = {mac[0], mac[1], mac[2], number >> 16, number >> 8, number};
      memcpy(packet + 4, &xid, 4);
      memcpy(packet + 28, address, 6);
      /* Without a server there is an ICMP error for the one before: the next call is told, and this one not sent. */
      if (sendto(fd, packet, sizeof packet, 0, (struct sockaddr *)&server, sizeof server) < 0)
        sendto(fd, packet, sizeof packet, 0, (struct sockaddr *)&server, sizeof server);
      sent_at[sent++] = seconds(CLOCK_MONOTONIC);
    }
    double wait = began + sent * every - seconds(CLOCK_MONOTONIC);
    struct timespec timeout = {0, wait > 0 ? wait * 1e9 : 0};
    struct pollfd one = {.fd = fd, .events = POLLIN};
    if (ppoll(&one, 1, &timeout, NULL) <= 0) continue;
    uint8_t answer[1500];
    ssize_t n;
    while ((n = recv(fd, answer, sizeof answer, MSG_DONTWAIT)) > 0) {
      uint32_t xid;
      if (n < 240 || answer[0] != 2) continue;
      memcpy(&xid, answer + 4, 4);
      xid = ntohl(xid);
      if (xid >= sent || sent_at[xid] == 0) continue;
      if (!answered) first_at = seconds(CLOCK_REALTIME);
      took[answered++] = (seconds(CLOCK_MONOTONIC) - sent_at[xid]) * 1000;
      sent_at[xid] = 0;
    }
  }
  /* Those of the last 50 ms may still come. */
  uint32_t unanswered = 0;
  double longest = 0;
  for (uint32_t i = 0; i < sent; i++)
    if (sent_at[i] != 0 && sent_at[i] < now - 0.05) {
      unanswered++;
      if ((now - sent_at[i]) * 1000 > longest) longest = (now - sent_at[i]) * 1000;
    }
  qsort(took, answered, sizeof *took, ascending);
  double last = answered ? took[answered - 1] : 0;
  printf("{\"sent\":%u,\"answered\":%u,\"unanswered\":%u,\"firstAt\":%.6f,\"p50\":%.4f,\"p99\":%.4f,\"longest\":%.4f}\n", sent,
         answered, unanswered, first_at, answered ? took[answered / 2] : 0, answered ? took[(int)(answered * 0.99)] : 0,
         longest > last ? longest : last);
  return 0;
}
