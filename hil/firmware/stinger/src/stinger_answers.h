/* What the device answers to the host's commands. For the library's own use. */
#ifndef STINGER_ANSWERS_H
#define STINGER_ANSWERS_H

#include "stinger_device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is being answered. */
enum stinger_answer {
    STINGER_NO_ANSWER,
    STINGER_ANSWER_TEXT,                        /* the line in answer_text */
    STINGER_ANSWER_LOG_INFO,
    STINGER_ANSWER_MODEL_INFO,
    STINGER_ANSWER_STREAM,
    STINGER_ANSWER_DUMP,
    STINGER_ANSWER_LOADED,                      /* once the sampling side has taken the model over */
    STINGER_ANSWER_DELETED
};

static inline uint32_t stinger_device_now(const stinger_device_t *device)
{
    return device->port->now_ms(device->port->context);
}

/* Write the next line, or part of a dump, of the answer in device->answer. After the last one there is no answer;
 * `line` stays empty while the sampling side has not yet taken over a model. */
void stinger_write_answer(stinger_device_t *device, stinger_line_t *line);

#ifdef __cplusplus
}
#endif
#endif
