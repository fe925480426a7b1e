/* Prints its environment, uses it as programs do, and ends with a code of its own. */
#include <stdio.h>
#include <stdlib.h>

extern char **environ;

int main(void) {
    for (char **entry = environ; *entry; entry++)
        puts(*entry);
    setenv("FIRST", "new", 1);
    setenv("ADDED", "here", 1);
    unsetenv("LD_PRELOAD");
    const char *first = getenv("FIRST"), *added = getenv("ADDED");
    return first && added && !getenv("LD_PRELOAD") ? 7 : 1;
}
