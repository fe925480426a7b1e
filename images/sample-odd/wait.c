/* Says that it runs, and waits for a signal that ends it. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void end(int number)
{
	(void)number;
	_exit(0);
}

int main(void)
{
	signal(SIGTERM, end);
	puts("waiting");
	fflush(stdout);
	for (;;)
		pause();
}
