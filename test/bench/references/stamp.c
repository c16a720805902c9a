/* stamp <milliseconds>: prints the wall clock in nanoseconds, sleeps, and prints it again as the last thing it does. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void stamp(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  printf("%lld%09ld\n", (long long)t.tv_sec, t.tv_nsec);
  fflush(stdout);
}

int main(int argc, char **argv) {
  stamp();
  long ms = argc > 1 ? atol(argv[1]) : 0;
  struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&pause, NULL);
  stamp();
  return 0;
}
