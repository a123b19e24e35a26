// Runs a command where openat2 is missing:
//
//   without_openat2 ENOSYS | EPERM COMMAND ARGUMENT…
//
// ENOSYS is what kernels before 5.6 and emulators answer, EPERM what old container runtimes do.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "support/refuse_call.h"

int main(int count, char** arguments) {
  if (count < 3) {
    std::fputs("usage: without_openat2 ENOSYS|EPERM COMMAND ARGUMENT...\n", stderr);
    return 2;
  }
  const int number = std::strcmp(arguments[1], "EPERM") == 0 ? EPERM : ENOSYS;
  if (!wclayer::test::RefuseCall(SYS_openat2, number) || wclayer::test::HasOpenat2()) {
    std::fputs("without_openat2: openat2 is still there\n", stderr);
    return 3;
  }
  ::execv(arguments[2], arguments + 2);
  std::perror(arguments[2]);
  return 3;
}
