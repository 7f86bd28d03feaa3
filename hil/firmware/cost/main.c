/* How many instructions each part of the library takes on a Cortex-M0, for benchmarks/firmware_cost.py.
 *
 * QEMU runs it with -icount shift=0, so that each instruction takes a nanosecond of the timer, on any machine. */
#include "board.h"
#include "layout.h"
#include "stinger.h"
#include "stinger_bytes.h"

#define ROUNDS 200U

static stinger_inference_t inference;
static stinger_ring_t ring;

static const uint8_t *flash(uint32_t address)
{
    return (const uint8_t *)(uintptr_t)address;
}

static void print(const char *name, uint32_t elapsed_us)
{
    stinger_line_t line = {{0}, 0};
    size_t sent = 0;
    stinger_line_add(&line, name);
    stinger_line_add(&line, " ");
    stinger_line_add_u32(&line, elapsed_us * (1000U / ROUNDS));
    stinger_line_add(&line, "\n");
    while (sent < line.size) {
        sent += board_write((const uint8_t *)line.text + sent, line.size - sent);
    }
}

static void sample_at(uint32_t number, stinger_sample_t *sample)
{
    stinger_sample_decode(flash(RECORDING) + 4U + number * STINGER_SAMPLE_BYTES, sample);
    sample->timestamp_ms = 10U * number;
}

/* Score ROUNDS samples that follow a full window, where the recording moves. */
static void measure_scoring(const char *name, const stinger_factory_t *factory)
{
    stinger_sample_t sample;
    uint32_t number;
    uint32_t began = 0;
    stinger_inference_init(&inference, factory, 0.5F);
    for (number = 0; number < STINGER_WINDOW_SAMPLES + ROUNDS; number++) {
        if (number == STINGER_WINDOW_SAMPLES) {
            began = board_now_us();
        }
        sample_at(number, &sample);
        (void)stinger_inference_push(&inference, &sample);
    }
    print(name, board_now_us() - began);
}

static void measure_sending(void)
{
    uint8_t frame[STINGER_FRAME_MAX_ENCODED];
    stinger_score_t score = {0.25F, STINGER_SCORE_KNOWN};
    stinger_entry_t entry;
    stinger_sample_t sample;
    uint32_t number;
    uint32_t began = board_now_us();
    stinger_ring_init(&ring);
    for (number = 0; number < ROUNDS; number++) {
        sample_at(number, &sample);
        (void)stinger_ring_push(&ring, &sample, &score);
        (void)stinger_ring_pop(&ring, &entry);
        (void)stinger_frame_encode(&entry.sample, &entry.score, (uint16_t)number, frame);
    }
    print("frame", board_now_us() - began);
}

int main(void)
{
    const uint8_t *settings = flash(SETTINGS);
    stinger_factory_t none = {NULL, 0, NULL, 0};
    stinger_factory_t lr = {settings + SETTINGS_HEAD, STINGER_LR_BYTES, NULL, 0};
    stinger_factory_t mlp = {NULL, 0, settings + SETTINGS_HEAD + STINGER_LR_BYTES, STINGER_MLP_BYTES};
    board_init();
    measure_scoring("window", &none);
    measure_scoring("lr", &lr);
    measure_scoring("mlp", &mlp);
    measure_sending();
    print("end", 0);
    for (;;) {
    }
}
