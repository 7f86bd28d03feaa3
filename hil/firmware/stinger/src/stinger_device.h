/* A blaster that streams: one object for samples, models and the host's commands.
 *
 * A port fills in stinger_port_t and makes three calls: stinger_device_sample a hundred times a second, and
 * stinger_device_receive and stinger_device_poll in its main loop. The first may run on another core or in a timer's
 * interrupt; the other two belong together on one core. No call blocks. docs/device.md is the guide. */
#ifndef STINGER_DEVICE_H
#define STINGER_DEVICE_H

#include "stinger_inference.h"
#include "stinger_ring.h"
#include "stinger_text.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STINGER_COMMAND_MAX 63U         /* characters of a command */
#define STINGER_UPLOAD_TIMEOUT_MS 10000U
#define STINGER_LOAD_TIMEOUT_MS 1000U   /* for the sampling side to take over a model */

/* A place for an uploaded model. */
typedef enum {
    STINGER_SLOT_LR = 0,
    STINGER_SLOT_MLP = 1,
    STINGER_SLOT_SINGLE = 2             /* the single file of older firmware, of either kind */
} stinger_slot_t;

/* What the library needs of the board. Functions marked optional may be NULL. `context` is passed to each of them. */
typedef struct {
    void *context;

    /* Send up to `size` bytes without waiting; return how many were taken. */
    size_t (*write)(void *context, const uint8_t *data, size_t size);

    /* Return the milliseconds since boot; wraps at 2^32. */
    uint32_t (*now_ms)(void *context);

    /* Read the sensor and the trigger (0 or 1); return false if there is no new reading. Optional. */
    bool (*read_sample)(void *context, int16_t axes[STINGER_CHANNELS], uint8_t *trigger);

    /* Return whether uploads and dumps must wait, as during a shot. Optional. */
    bool (*is_busy)(void *context);

    /* Keep an uploaded file, also over a restart if the board can; return false on failure. Without it, no uploads. */
    bool (*store)(void *context, stinger_slot_t slot, const uint8_t *file, size_t size);

    /* Copy the file in `slot` to `file`, at most `capacity` bytes; return its size, 0 if there is none. With a capacity
     * of 0 only return the size. */
    size_t (*recall)(void *context, stinger_slot_t slot, uint8_t *file, size_t capacity);

    /* Delete every stored file; return false on failure. */
    bool (*erase)(void *context);

    /* Return the size of the log in bytes, and copy a part of it. Optional: without it, there is no log. */
    size_t (*log_bytes)(void *context);
    void (*log_read)(void *context, size_t offset, uint8_t *out, size_t size);

    /* Send scores with every sample, whether the host asks for them or not. */
    bool always_scores;

    stinger_factory_t factory;
} stinger_port_t;

/* Counters since the start, for a status page or a debugger. */
typedef struct {
    uint32_t samples;                   /* samples taken */
    uint32_t sent;                      /* frames written */
    uint32_t dropped;                   /* samples dropped as the ring was full: the host read too slowly */
    uint32_t commands;                  /* commands understood */
    uint32_t ignored;                   /* lines that are no command, or too long */
    uint32_t refused;                   /* uploads and loads answered with an error */
} stinger_counts_t;

typedef struct {
    const stinger_port_t *port;
    stinger_inference_t inference;      /* used by the sampling side */
    stinger_ring_t ring;
    uint32_t samples;
    uint32_t streaming;                 /* whether the sampling side fills the ring */

    stinger_counts_t counts;            /* this and all below: used by the sending side */
    char command[STINGER_COMMAND_MAX + 1U];
    uint8_t command_size;
    bool skipping;                      /* the rest of a line that is no command is skipped */

    uint32_t stream_hz;
    bool stream_scores;
    bool stream_started;                /* a first sample was sent, whose number is first_number */
    uint32_t first_number;

    uint8_t file[STINGER_MLP_BYTES];    /* an upload, or a model on its way to the sampling side */
    uint32_t file_bytes;                /* received so far */
    uint32_t upload_bytes;              /* announced; 0 without an upload */
    uint32_t upload_crc;
    uint32_t upload_ms;                 /* time of its last byte */
    stinger_slot_t upload_slot;

    uint8_t answer;                     /* an enum stinger_answer: what is being answered */
    uint8_t answer_step;
    const char *answer_text;
    uint32_t answer_ms;
    uint32_t dumped, dump_bytes;

    stinger_line_t out;                 /* bytes that wait for `write` */
    size_t out_sent;
    bool out_is_frame;
} stinger_device_t;

/* Start. Stored models are loaded; `on` is the threshold of the wheels. `port` must stay. */
void stinger_device_init(stinger_device_t *device, const stinger_port_t *port, float on);

/* Read a sample with the port's read_sample, score it, and queue it for the stream. Call it every 10 ms.
 * Return false if there was no reading. */
bool stinger_device_sample(stinger_device_t *device);

/* The same for a sample that was taken elsewhere. */
stinger_score_t stinger_device_push(stinger_device_t *device, const stinger_sample_t *sample);

/* Return whether the wheels are to spin. Call it in the loop that controls the motors, on the sampling side. */
bool stinger_device_wheels(stinger_device_t *device);

/* Process bytes of the host; return how many were taken. Fewer than `size` while an answer waits to be sent: offer
 * the rest again after stinger_device_poll. */
size_t stinger_device_receive(stinger_device_t *device, const uint8_t *data, size_t size);

/* Send what waits: answers, then frames, until `write` takes no more or nothing is left. */
void stinger_device_poll(stinger_device_t *device);

/* The host has closed the port: end the stream and any unfinished command. An upload continues, as in the blaster. */
void stinger_device_disconnected(stinger_device_t *device);

/* Return the counters, for the sending side. */
stinger_counts_t stinger_device_counts(const stinger_device_t *device);

#ifdef __cplusplus
}
#endif
#endif
