/* A blaster on QEMU's micro:bit: plays the recording in its flash in place of a sensor, and keeps uploaded models.
 * The program that starts QEMU places recording, models and settings in the flash: see layout.h. */
#include <string.h>

#include "board.h"
#include "layout.h"
#include "stinger.h"
#include "stinger_bytes.h"

static stinger_device_t device;
static uint8_t stored[STORED_HEAD + STINGER_MLP_BYTES];
static uint32_t taken;                  /* samples taken since reset */

static uint32_t stored_at(stinger_slot_t slot)
{
    return slot == STINGER_SLOT_LR ? STORED_LR : slot == STINGER_SLOT_MLP ? STORED_MLP : STORED_SINGLE;
}

static const uint8_t *flash(uint32_t address)
{
    return (const uint8_t *)(uintptr_t)address;
}

static size_t write_bytes(void *context, const uint8_t *data, size_t size)
{
    (void)context;
    return board_write(data, size);
}

static uint32_t now_ms(void *context)
{
    static uint32_t last_us, rest_us, ms;
    uint32_t now_us = board_now_us();
    (void)context;
    rest_us += now_us - last_us;        /* the microseconds wrap every 71 minutes, the milliseconds must not */
    last_us = now_us;
    ms += rest_us / 1000U;
    rest_us %= 1000U;
    return ms;
}

static bool store(void *context, stinger_slot_t slot, const uint8_t *file, size_t size)
{
    (void)context;
    if (slot == STINGER_SLOT_LR && size > 1024U - (size_t)STORED_HEAD) {
        return false;
    }
    stinger_put_u32(stored, (uint32_t)size);
    memcpy(stored + STORED_HEAD, file, size);
    board_flash(stored_at(slot), stored, STORED_HEAD + size);
    return true;
}

static size_t recall(void *context, stinger_slot_t slot, uint8_t *file, size_t capacity)
{
    const uint8_t *at = flash(stored_at(slot));
    size_t size = stinger_get_u32(at);
    (void)context;
    if (size > STINGER_MLP_BYTES) {     /* erased flash: no file */
        return 0U;
    }
    if (capacity > 0U) {
        memcpy(file, at + STORED_HEAD, size < capacity ? size : capacity);
    }
    return size;
}

static bool erase(void *context)
{
    static const uint8_t nothing[4] = {0xFFU, 0xFFU, 0xFFU, 0xFFU};
    (void)context;
    board_flash(STORED_LR, nothing, sizeof nothing);
    board_flash(STORED_MLP, nothing, sizeof nothing);
    board_flash(STORED_SINGLE, nothing, sizeof nothing);
    return true;
}

static uint32_t recorded(void)
{
    uint32_t count = stinger_get_u32(flash(RECORDING));
    return count <= (RECORDING_BYTES - 4U) / STINGER_SAMPLE_BYTES ? count : 0U;
}

static size_t log_bytes(void *context)
{
    (void)context;
    return (size_t)recorded() * STINGER_SAMPLE_BYTES;
}

static void log_read(void *context, size_t offset, uint8_t *out, size_t size)
{
    (void)context;
    memcpy(out, flash(RECORDING) + 4U + offset, size);
}

/* Take the next sample of the recording at the time that is due on the device's clock; return false at its end. */
static bool take_sample(uint32_t due_ms, bool repeats)
{
    uint32_t count = recorded();
    stinger_sample_t sample;
    if (count == 0U || (taken >= count && !repeats)) {
        return false;
    }
    stinger_sample_decode(flash(RECORDING) + 4U + taken % count * STINGER_SAMPLE_BYTES, &sample);
    sample.timestamp_ms = due_ms;
    taken++;
    (void)stinger_device_push(&device, &sample);
    return true;
}

/* Take the samples that are due. A recording that repeats plays from the reset on, any other one from the first stream
 * on, once only: the host must not miss its end. */
static void play(bool repeats)
{
    static uint32_t due_ms;
    static bool playing;
    static bool ended;
    uint32_t now = now_ms(NULL);
    if (!playing) {
        playing = repeats || device.streaming;
        due_ms = now / STINGER_STEP_MS * STINGER_STEP_MS + STINGER_STEP_MS;
    }
    while (playing && !ended && (int32_t)(now - due_ms) >= 0) {
        ended = !take_sample(due_ms, repeats);
        due_ms += STINGER_STEP_MS;
    }
}

static void listen(void)
{
    static uint8_t byte;
    static bool has_byte;
    if (!has_byte) {
        has_byte = board_read(&byte);
    }
    while (has_byte && stinger_device_receive(&device, &byte, 1U) == 1U) {
        has_byte = board_read(&byte);
    }
}

int main(void)
{
    static stinger_port_t port;
    const uint8_t *settings = flash(SETTINGS);
    bool repeats;
    board_init();
    port.write = write_bytes;
    port.now_ms = now_ms;
    port.store = store;
    port.recall = recall;
    port.erase = erase;
    port.log_bytes = log_bytes;
    port.log_read = log_read;
    port.factory.lr_bytes = stinger_get_u32(settings + 8);
    port.factory.mlp_bytes = stinger_get_u32(settings + 12);
    if (port.factory.lr_bytes <= STINGER_LR_BYTES && port.factory.mlp_bytes <= STINGER_MLP_BYTES) {
        port.factory.lr = settings + SETTINGS_HEAD;
        port.factory.mlp = settings + SETTINGS_HEAD + STINGER_LR_BYTES;
    }
    port.always_scores = true;          /* for a bench, which compares the device with the host */
    repeats = stinger_get_u32(settings + 4) != 0U;
    stinger_device_init(&device, &port, stinger_get_f32(settings));
    for (;;) {
        play(repeats);
        listen();
        stinger_device_poll(&device);
    }
}
