/*
 * The program of the built-in image hello-world. It has no libc, so that the image is next to nothing: the whole of it is
 * one write.
 */
static const char text[] =
    "\n"
    "Hello from Hawser!\n"
    "This message shows that your installation appears to be working correctly.\n"
    "\n"
    "To write it, Hawser went through these steps:\n"
    " 1. The client you typed the command in contacted the Hawser engine.\n"
    " 2. The engine looked for the image \"hello-world\" among those it has, and\n"
    "    would have pulled it from a registry had it not been there.\n"
    " 3. The engine created a new container from that image, which ran the program\n"
    "    that writes what you are reading.\n"
    " 4. The engine streamed that output to the client, which sent it to your\n"
    "    terminal.\n"
    "\n"
    "For something bigger, try a shell in a container of its own:\n"
    " $ hawser run -it busybox sh\n"
    "\n";

#if defined(__x86_64__)
enum { WRITE = 1, EXIT = 60 };
static long call(long number, long one, long two, long three) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(one), "S"(two), "d"(three) : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
enum { WRITE = 64, EXIT = 93 };
static long call(long number, long one, long two, long three) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = one;
  register long x1 __asm__("x1") = two;
  register long x2 __asm__("x2") = three;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
}
#else
#error "hello: no system calls written for this architecture"
#endif

_Noreturn void _start(void);
_Noreturn void _start(void) {
  long left = sizeof text - 1;
  for (const char *at = text; left > 0;) {
    const long written = call(WRITE, 1, (long)at, left);
    if (written <= 0) call(EXIT, 1, 0, 0);
    at += written;
    left -= written;
  }
  for (;;) call(EXIT, 0, 0, 0);
}
