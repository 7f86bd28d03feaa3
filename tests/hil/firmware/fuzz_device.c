/* libFuzzer target: any bytes of a host, any samples, any pace of link, sensor and clock; models that are damaged. */
#include <stdlib.h>
#include <string.h>

#include "host_port.h"

static host_t *host;

static uint8_t next_byte(const uint8_t **data, size_t *size)
{
    if (*size == 0U) {
        return 0U;
    }
    (*size)--;
    return *(*data)++;
}

static void feed(const uint8_t **data, size_t *size)
{
    size_t length = next_byte(data, size);
    length = length < *size ? length : *size;
    while (length > 0U) {
        size_t taken = host_receive(host, *data, length);
        *data += taken;
        *size -= taken;
        length -= taken;
        host_poll(host);
        if (taken == 0U) {
            break;
        }
    }
}

static void sample(const uint8_t **data, size_t *size)
{
    uint8_t record[STINGER_SAMPLE_BYTES];
    size_t i;
    stinger_sample_t taken;
    for (i = 0; i < sizeof record; i++) {
        record[i] = next_byte(data, size);
    }
    stinger_sample_decode(record, &taken);
    if (taken.axes[0] & 1) {            /* mostly as a sensor gives them, so that windows fill */
        taken.timestamp_ms = host->now_ms + 10U;
    }
    host->now_ms = taken.timestamp_ms;
    for (i = 0; i < (size_t)(taken.axes[1] & 63); i++) {
        stinger_device_push(&host->device, &taken);
        taken.timestamp_ms = host->now_ms += 10U;
        taken.axes[5] = (int16_t)(taken.axes[5] ^ (int16_t)i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t taken[HOST_OUT_BYTES];
    if (!host) {
        host = host_new(NULL, 0, NULL, 0, 0.5F);
        if (!host) {
            abort();
        }
    }
    memset(host->file_bytes, 0, sizeof host->file_bytes);
    host_reboot(host, 0.5F);
    while (size > 0U) {
        uint8_t step = next_byte(&data, &size);
        switch (step & 7U) {
        case 0:
        case 1:
        case 2:
            feed(&data, &size);
            break;
        case 3:
            sample(&data, &size);
            break;
        case 4:
            host->now_ms += (uint32_t)(step >> 3) * 997U;
            (void)host_wheels(host);
            break;
        case 5:
            host_set_write_at_most(host, step >> 3);
            break;
        case 6:
            host_disconnect(host);
            break;
        default:
            host_set_busy(host, (step >> 3) == 1U);
            host_set_storage_fails(host, (step >> 3) == 2U);
            if ((step >> 3) == 3U) {
                host_reboot(host, 0.3F);
            }
            break;
        }
        host_poll(host);
    }
    host_set_write_at_most(host, HOST_OUT_BYTES);
    host_poll(host);
    (void)host_take(host, taken, sizeof taken);
    return 0;
}
