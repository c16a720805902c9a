/* spawn-loop <tasks> <in flight>: posix_spawn and wait of /bin/true, and nothing else. Prints the seconds it took. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  int tasks = atoi(argv[1]), in_flight = atoi(argv[2]), started = 0;
  char *program[] = {"/bin/true", NULL};
  double began = now();
  for (int ended = 0; ended < tasks; ended++) {
    for (; started < tasks && started - ended < in_flight; started++) {
      pid_t pid;
      if (posix_spawn(&pid, program[0], NULL, NULL, program, environ) != 0) return 1;
    }
    if (wait(NULL) < 0) return 1;
  }
  printf("%.9f\n", now() - began);
  return 0;
}
