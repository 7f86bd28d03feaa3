/* Numbers to text and back, without the standard library's formatted output. For the library's own use. */
#ifndef STINGER_TEXT_H
#define STINGER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define STINGER_LINE_MAX 96U            /* the longest answer, a number of 39 digits with its name, has 66 characters */

/* A line under construction; characters beyond its end are left out. */
typedef struct {
    char text[STINGER_LINE_MAX];
    size_t size;
} stinger_line_t;

void stinger_line_add(stinger_line_t *line, const char *text);
void stinger_line_add_u32(stinger_line_t *line, uint32_t number);

/* Add `number` with six decimals, rounded as printf("%.6f") does. It must be finite. */
void stinger_line_add_float(stinger_line_t *line, float number);

/* Read a whole number at `*at` and move it behind the digits: decimal with an optional plus, or hexadecimal with an
 * optional 0x. Return false if there is no digit or the number is above `most`. Spaces before it are skipped. */
bool stinger_parse_decimal(const char **at, uint32_t most, uint32_t *number);
bool stinger_parse_hex(const char **at, uint32_t *number);

#ifdef __cplusplus
}
#endif
#endif
