/* Processes: those outside, and what rules them. */
#include "attempt.h"

ATTEMPT(signal_to_an_outsider, .expect = "EPERM", .with = OUTSIDER)
{
    report(kill(outsider, SIGTERM));
    neighbour(kill(getpid(), 0));
}
