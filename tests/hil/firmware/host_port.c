#include "host_port.h"

#include <stdlib.h>
#include <string.h>

static size_t write_out(void *context, const uint8_t *data, size_t size)
{
    host_t *host = (host_t *)context;
    size_t room = HOST_OUT_BYTES - host->out_bytes;
    size_t part = size < host->write_at_most ? size : host->write_at_most;
    part = part < room ? part : room;
    memcpy(host->out + host->out_bytes, data, part);
    host->out_bytes += part;
    return part;
}

static uint32_t now_ms(void *context)
{
    return ((host_t *)context)->now_ms;
}

static bool read_sample(void *context, int16_t axes[STINGER_CHANNELS], uint8_t *trigger)
{
    host_t *host = (host_t *)context;
    if (!host->has_reading) {
        return false;
    }
    memcpy(axes, host->reading.axes, sizeof host->reading.axes);
    *trigger = host->reading.trigger;
    host->has_reading = false;
    return true;
}

static bool is_busy(void *context)
{
    return ((host_t *)context)->busy;
}

static bool store(void *context, stinger_slot_t slot, const uint8_t *file, size_t size)
{
    host_t *host = (host_t *)context;
    if (host->storage_fails || size > STINGER_MLP_BYTES) {
        return false;
    }
    memcpy(host->files[slot], file, size);
    host->file_bytes[slot] = size;
    return true;
}

static size_t recall(void *context, stinger_slot_t slot, uint8_t *file, size_t capacity)
{
    host_t *host = (host_t *)context;
    size_t size = host->file_bytes[slot];
    if (capacity > 0U) {
        memcpy(file, host->files[slot], size < capacity ? size : capacity);
    }
    return size;
}

static bool erase(void *context)
{
    host_t *host = (host_t *)context;
    memset(host->file_bytes, 0, sizeof host->file_bytes);
    return !host->storage_fails;
}

static size_t log_bytes(void *context)
{
    return ((host_t *)context)->log_bytes;
}

static void log_read(void *context, size_t offset, uint8_t *out, size_t size)
{
    memcpy(out, ((host_t *)context)->log + offset, size);
}

host_t *host_new(const uint8_t *lr, size_t lr_bytes, const uint8_t *mlp, size_t mlp_bytes, float on)
{
    host_t *host = (host_t *)calloc(1, sizeof(host_t));
    stinger_port_t *port;
    if (!host) {
        return NULL;
    }
    port = &host->port;
    host->write_at_most = HOST_OUT_BYTES;
    port->context = host;
    port->write = write_out;
    port->now_ms = now_ms;
    port->read_sample = read_sample;
    port->is_busy = is_busy;
    port->store = store;
    port->recall = recall;
    port->erase = erase;
    port->factory.lr = lr;
    port->factory.lr_bytes = lr_bytes;
    port->factory.mlp = mlp;
    port->factory.mlp_bytes = mlp_bytes;
    stinger_device_init(&host->device, port, on);
    return host;
}

void host_free(host_t *host)
{
    free(host);
}

void host_reboot(host_t *host, float on)
{
    host->now_ms = 0;
    host->out_bytes = 0;
    stinger_device_init(&host->device, &host->port, on);
}

size_t host_receive(host_t *host, const uint8_t *data, size_t size)
{
    return stinger_device_receive(&host->device, data, size);
}

void host_poll(host_t *host)
{
    stinger_device_poll(&host->device);
}

bool host_sample(host_t *host, const uint8_t record[STINGER_SAMPLE_BYTES])
{
    stinger_sample_decode(record, &host->reading);
    host->now_ms = host->reading.timestamp_ms;
    host->has_reading = true;
    return stinger_device_sample(&host->device);
}

void host_play(host_t *host, const uint8_t *records, size_t count, float *probability, uint8_t *flags)
{
    size_t i;
    for (i = 0; i < count; i++) {
        stinger_sample_t sample;
        stinger_score_t score;
        stinger_sample_decode(records + i * STINGER_SAMPLE_BYTES, &sample);
        host->now_ms = sample.timestamp_ms;
        score = stinger_device_push(&host->device, &sample);
        probability[i] = score.probability;
        flags[i] = score.flags;
        stinger_device_poll(&host->device);
    }
}

bool host_wheels(host_t *host)
{
    return stinger_device_wheels(&host->device);
}

size_t host_take(host_t *host, uint8_t *out, size_t size)
{
    size_t part = host->out_bytes < size ? host->out_bytes : size;
    memcpy(out, host->out, part);
    memmove(host->out, host->out + part, host->out_bytes - part);
    host->out_bytes -= part;
    return part;
}

void host_set_now(host_t *host, uint32_t time_ms)
{
    host->now_ms = time_ms;
}

void host_set_write_at_most(host_t *host, size_t size)
{
    host->write_at_most = size;
}

void host_set_busy(host_t *host, bool busy)
{
    host->busy = busy;
}

void host_set_storage_fails(host_t *host, bool fails)
{
    host->storage_fails = fails;
}

void host_set_log(host_t *host, const uint8_t *log, size_t size)
{
    host->log = log;
    host->log_bytes = size;
    host->port.log_bytes = log ? log_bytes : NULL;
    host->port.log_read = log ? log_read : NULL;
}

void host_disconnect(host_t *host)
{
    stinger_device_disconnected(&host->device);
}

stinger_counts_t host_counts(host_t *host)
{
    return stinger_device_counts(&host->device);
}

float host_envelope(host_t *host)
{
    return host->device.inference.decision.envelope;
}
