/* A port of the library to a PC, for tests: files in memory, a clock that the test sets, output that is collected. */
#ifndef HOST_PORT_H
#define HOST_PORT_H

#include "stinger.h"

#define HOST_OUT_BYTES (1U << 20)
#define HOST_FILES 3

typedef struct {
    stinger_device_t device;
    stinger_port_t port;
    uint32_t now_ms;
    uint8_t out[HOST_OUT_BYTES];        /* what the device wrote, until host_take */
    size_t out_bytes;
    size_t write_at_most;               /* bytes that a write takes: fewer stand for a slow link */
    uint8_t files[HOST_FILES][STINGER_MLP_BYTES];
    size_t file_bytes[HOST_FILES];
    const uint8_t *log;
    size_t log_bytes;
    bool busy;
    bool storage_fails;
    stinger_sample_t reading;           /* the next reading of the sensor */
    bool has_reading;
} host_t;

host_t *host_new(const uint8_t *lr, size_t lr_bytes, const uint8_t *mlp, size_t mlp_bytes, float on);
void host_free(host_t *host);
void host_reboot(host_t *host, float on);
size_t host_receive(host_t *host, const uint8_t *data, size_t size);
void host_poll(host_t *host);

/* Process `count` records of 17 bytes, each at its own time; write probability and flags of each, and poll after each. */
void host_play(host_t *host, const uint8_t *records, size_t count, float *probability, uint8_t *flags);
bool host_sample(host_t *host, const uint8_t record[STINGER_SAMPLE_BYTES]);
bool host_wheels(host_t *host);
size_t host_take(host_t *host, uint8_t *out, size_t size);
void host_set_now(host_t *host, uint32_t now_ms);
void host_set_write_at_most(host_t *host, size_t size);
void host_set_busy(host_t *host, bool busy);
void host_set_storage_fails(host_t *host, bool fails);
void host_set_log(host_t *host, const uint8_t *log, size_t size);
void host_disconnect(host_t *host);
stinger_counts_t host_counts(host_t *host);
float host_envelope(host_t *host);

#endif
