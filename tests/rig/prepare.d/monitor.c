/* A program without a system, for QEMU's mps2-an385 (Cortex-M3): it tells its results as it goes, as
 * Zephyr's test suite does, and then stays. */

typedef unsigned int u32;

/* The first UART of Arm's CMSDK. */
#define UART ((volatile u32 *)0x40004000)
enum { DATA, STATE, CONTROL, INTERRUPT, DIVIDER };

void start(void);

/* Where the processor begins: its stack, and what runs first. */
__attribute__((section(".vectors"), used)) static void *const vectors[] = {
    (void *)0x20010000,
    (void *)start,
};

static void say(const char *text)
{
    for (; *text; text++) {
        while (UART[STATE] & 1)
            ;
        UART[DATA] = *text;
    }
}

static void result(const char *name, int good)
{
    say("START - ");
    say(name);
    say(good ? "\r\nPASS - " : "\r\nFAIL - ");
    say(name);
    say(" in 0.1 seconds\r\n");
}

/* Not known before it runs, so that the compiler leaves the arithmetic to the processor. */
static volatile u32 seven = 7;

void start(void)
{
    UART[DIVIDER] = 16;
    UART[CONTROL] = 1;
    say("*** Booting without a system ***\r\nRunning test suite arithmetic\r\n");
    result("addition", seven + 3 == 10);
    result("division", 100 / seven == 14);
    result("overflow", seven << 30 == 7);
    say("Test suite arithmetic done\r\nPROJECT EXECUTION ENDED\r\n");
    for (;;)
        __asm__ volatile("wfi");
}
