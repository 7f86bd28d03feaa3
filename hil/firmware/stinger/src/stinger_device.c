#include "stinger_device.h"

#include <string.h>

#include "stinger_answers.h"
#include "stinger_atomic.h"
#include "stinger_commands.h"
#include "stinger_slots.h"

/* Encode the next frame that is due at the requested rate; return false if no sample waits. */
static bool write_frame(stinger_device_t *device, stinger_line_t *line)
{
    stinger_entry_t entry;
    while (device->stream_hz && stinger_ring_pop(&device->ring, &entry)) {
        uint64_t number, index;
        if (!device->stream_started) {
            device->stream_started = true;
            device->first_number = entry.number;
        }
        /* Of every 100 samples, stream_hz are sent, evenly spaced. Dropped samples count: the host sees them as lost. */
        number = entry.number - device->first_number;
        index = number * device->stream_hz / STINGER_SAMPLE_HZ;
        if (number == 0U || index != (number - 1U) * device->stream_hz / STINGER_SAMPLE_HZ) {
            line->size = stinger_frame_encode(&entry.sample, device->stream_scores ? &entry.score : NULL,
                                              (uint16_t)(index & 0xFFFFU), (uint8_t *)line->text);
            return true;
        }
    }
    return false;
}

void stinger_device_poll(stinger_device_t *device)
{
    const stinger_port_t *port = device->port;
    stinger_line_t *out = &device->out;
    stinger_check_upload_timeout(device);
    for (;;) {
        if (device->out_sent < out->size) {
            device->out_sent += port->write(port->context, (const uint8_t *)out->text + device->out_sent,
                                            out->size - device->out_sent);
            if (device->out_sent < out->size) {
                return;                 /* the link takes no more now */
            }
            device->counts.sent += device->out_is_frame ? 1U : 0U;
        }
        out->size = 0;
        device->out_sent = 0;
        device->out_is_frame = false;
        if (device->answer != STINGER_NO_ANSWER) {
            stinger_write_answer(device, out);
        }
        if (out->size == 0U) {
            device->out_is_frame = write_frame(device, out);
        }
        if (out->size == 0U) {
            return;
        }
    }
}

void stinger_device_disconnected(stinger_device_t *device)
{
    STINGER_STORE(device->streaming, 0U);
    device->stream_hz = 0;
    device->command_size = 0;
    device->skipping = false;
    device->answer = STINGER_NO_ANSWER;
    device->out.size = 0;
    device->out_sent = 0;
    stinger_ring_clear(&device->ring);
}

stinger_counts_t stinger_device_counts(const stinger_device_t *device)
{
    stinger_counts_t counts = device->counts;
    counts.samples = STINGER_LOAD(device->samples);
    counts.dropped = STINGER_LOAD(device->ring.dropped);
    return counts;
}

void stinger_device_init(stinger_device_t *device, const stinger_port_t *port, float on)
{
    memset(device, 0, sizeof *device);
    device->port = port;
    stinger_ring_init(&device->ring);
    stinger_inference_init(&device->inference, &port->factory, on);
    stinger_load_stored(device);
}

bool stinger_device_sample(stinger_device_t *device)
{
    const stinger_port_t *port = device->port;
    stinger_sample_t sample;
    sample.timestamp_ms = stinger_device_now(device);
    if (!port->read_sample || !port->read_sample(port->context, sample.axes, &sample.trigger)) {
        return false;
    }
    stinger_device_push(device, &sample);
    return true;
}

stinger_score_t stinger_device_push(stinger_device_t *device, const stinger_sample_t *sample)
{
    stinger_score_t score = stinger_inference_push(&device->inference, sample);
    STINGER_STORE(device->samples, device->samples + 1U);
    if (STINGER_LOAD(device->streaming)) {
        stinger_ring_push(&device->ring, sample, &score);
    }
    return score;
}

bool stinger_device_wheels(stinger_device_t *device)
{
    return stinger_inference_tick(&device->inference, stinger_device_now(device));
}
