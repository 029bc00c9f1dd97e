/* Time: names that appear later, and what changes between check and use. */
#include "attempt.h"

/* CVE-2026-25725: a blocked name that did not exist at the start. */
ATTEMPT(late_file_made_outside, .expect = "EACCES")
{
    outside("secret work/late");
    show(open("late", O_RDONLY));
    outside("file work/early");
    neighbour_reads("early");
}
