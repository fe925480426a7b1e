/* A dynamic program without a C library. */
#if defined(__x86_64__)
__asm__(".globl _start\n_start: mov $60, %eax\n mov $7, %edi\n syscall");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start: mov x8, #93\n mov x0, #7\n svc 0");
#endif
