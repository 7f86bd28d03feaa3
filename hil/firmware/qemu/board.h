/* The peripherals of the nRF51 that the image uses: serial port, timer, flash. Source: Nordic's nRF51 reference manual. */
#ifndef BOARD_H
#define BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void board_init(void);

/* Return the microseconds since reset; wraps at 2^32. */
uint32_t board_now_us(void);

/* Send up to `size` bytes without waiting for the port; return how many it took. */
size_t board_write(const uint8_t *data, size_t size);

/* Return whether a byte was received, and the byte. */
bool board_read(uint8_t *byte);

/* Erase `size` bytes of flash at `address`, a multiple of 1024, and write `data` there. */
void board_flash(uint32_t address, const uint8_t *data, size_t size);

#endif
