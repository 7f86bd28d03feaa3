/* What happens between reset and main on a Cortex-M0. */
#include <stdint.h>
#include <string.h>

extern uint32_t stack_top, data_image, data_start, data_end, bss_start, bss_end;

int main(void);
void reset(void);

static void stop(void)
{
    for (;;) {
    }
}

void reset(void)
{
    memcpy(&data_start, &data_image, (size_t)((uint8_t *)&data_end - (uint8_t *)&data_start));
    memset(&bss_start, 0, (size_t)((uint8_t *)&bss_end - (uint8_t *)&bss_start));
    (void)main();
    stop();
}

typedef void (*handler_t)(void);

/* The stack, reset, and the 14 exceptions of the core; no interrupt is used. */
__attribute__((section(".vectors"), used)) static const handler_t vectors[16] = {
    (handler_t)(uintptr_t)&stack_top, reset, stop, stop, stop, stop, stop, stop,
    stop, stop, stop, stop, stop, stop, stop, stop,
};
