/* Names: other spellings of a blocked path, and names that look like an allowed one. */
#include "attempt.h"

/* CVE-2025-53110: a prefix is not an ancestor. */
ATTEMPT(sibling_with_the_same_prefix, .expect = "EACCES")
{
    show(open(path("work-evil/key"), O_RDONLY));
    neighbour_reads(path("work/note"));
}

ATTEMPT(dots_through_the_workspace, .expect = "EACCES")
{
    show(open("sub/../../secret/key", O_RDONLY));
    neighbour_reads("sub/../note");
}
