#include "board.h"

#include <string.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define UART_STARTRX REGISTER(0x40002000U)
#define UART_STARTTX REGISTER(0x40002008U)
#define UART_RXDRDY REGISTER(0x40002108U)
#define UART_TXDRDY REGISTER(0x4000211CU)
#define UART_ENABLE REGISTER(0x40002500U)
#define UART_RXD REGISTER(0x40002518U)
#define UART_TXD REGISTER(0x4000251CU)

#define TIMER_START REGISTER(0x40008000U)
#define TIMER_CAPTURE REGISTER(0x40008040U)
#define TIMER_BITMODE REGISTER(0x40008508U)
#define TIMER_PRESCALER REGISTER(0x40008510U)
#define TIMER_CC REGISTER(0x40008540U)

#define NVMC_READY REGISTER(0x4001E400U)
#define NVMC_CONFIG REGISTER(0x4001E504U)
#define NVMC_ERASEPAGE REGISTER(0x4001E508U)

#define NVMC_READ_ONLY 0U
#define NVMC_WRITE 1U
#define NVMC_ERASE 2U
#define PAGE_BYTES 1024U

static bool sending;

void board_init(void)
{
    TIMER_BITMODE = 3U;                 /* 32 bits */
    TIMER_PRESCALER = 4U;               /* 16 MHz / 16 */
    TIMER_START = 1U;
    UART_ENABLE = 4U;
    UART_STARTTX = 1U;
    UART_STARTRX = 1U;
    sending = false;
}

uint32_t board_now_us(void)
{
    TIMER_CAPTURE = 1U;
    return TIMER_CC;
}

size_t board_write(const uint8_t *data, size_t size)
{
    size_t i;
    for (i = 0; i < size; i++) {
        if (sending && !UART_TXDRDY) {
            break;
        }
        UART_TXDRDY = 0U;
        UART_TXD = data[i];
        sending = true;
    }
    return i;
}

bool board_read(uint8_t *byte)
{
    if (!UART_RXDRDY) {
        return false;
    }
    UART_RXDRDY = 0U;
    *byte = (uint8_t)UART_RXD;
    return true;
}

static void wait_for_flash(uint32_t mode)
{
    NVMC_CONFIG = mode;
    while (!NVMC_READY) {
    }
}

void board_flash(uint32_t address, const uint8_t *data, size_t size)
{
    size_t done;
    wait_for_flash(NVMC_ERASE);
    for (done = 0; done < size; done += PAGE_BYTES) {
        NVMC_ERASEPAGE = address + (uint32_t)done;
        wait_for_flash(NVMC_ERASE);
    }
    wait_for_flash(NVMC_WRITE);
    for (done = 0; done < size; done += 4U) {
        uint32_t word = 0xFFFFFFFFU;
        memcpy(&word, data + done, size - done < 4U ? size - done : 4U);
        REGISTER(address + done) = word;
        wait_for_flash(NVMC_WRITE);
    }
    wait_for_flash(NVMC_READ_ONLY);
}
