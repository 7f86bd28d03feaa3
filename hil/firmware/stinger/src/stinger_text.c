#include "stinger_text.h"

#include <string.h>

#define MILLION 1000000U
#define LIMBS 4U                        /* 128 bits hold the largest float */

void stinger_line_add(stinger_line_t *line, const char *text)
{
    while (*text && line->size < STINGER_LINE_MAX) {
        line->text[line->size++] = *text++;
    }
}

void stinger_line_add_u32(stinger_line_t *line, uint32_t number)
{
    char digits[11];
    char *at = digits + sizeof digits - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + (char)(number % 10U));
        number /= 10U;
    } while (number);
    stinger_line_add(line, at);
}

/* Add mantissa * 2^exponent, a whole number below 2^128. */
static void add_large(stinger_line_t *line, uint32_t mantissa, uint32_t exponent)
{
    uint32_t limbs[LIMBS] = {0U, 0U, 0U, 0U};
    char digits[40];
    char *at = digits + sizeof digits - 1;
    uint64_t shifted = (uint64_t)mantissa << (exponent % 32U);
    size_t limb = exponent / 32U;
    bool more;
    limbs[limb] = (uint32_t)(shifted & 0xFFFFFFFFU);
    if (limb + 1U < LIMBS) {
        limbs[limb + 1U] = (uint32_t)(shifted >> 32);
    }
    *at = '\0';
    do {
        uint64_t rest = 0;
        more = false;
        for (limb = LIMBS; limb-- > 0U;) {
            rest = (rest << 32) | limbs[limb];
            limbs[limb] = (uint32_t)(rest / 10U);
            rest %= 10U;
            more = more || limbs[limb] != 0U;
        }
        *--at = (char)('0' + (char)rest);
    } while (more);
    stinger_line_add(line, at);
}

/* Return round(mantissa * 10^6 / 2^shift), halves to even. */
static uint64_t millionths(uint32_t mantissa, uint32_t shift)
{
    uint64_t product = (uint64_t)mantissa * MILLION;    /* 44 bits */
    uint64_t quotient, rest, half;
    if (shift >= 48U) {
        return 0;
    }
    quotient = product >> shift;
    rest = product - (quotient << shift);
    half = shift ? (uint64_t)1 << (shift - 1U) : 0;
    if (shift && (rest > half || (rest == half && (quotient & 1U)))) {
        quotient++;
    }
    return quotient;
}

void stinger_line_add_float(stinger_line_t *line, float number)
{
    uint32_t bits, mantissa, fraction = 0;
    int32_t exponent;                   /* number = mantissa * 2^exponent */
    uint32_t divisor;
    memcpy(&bits, &number, sizeof bits);
    exponent = (int32_t)((bits >> 23) & 0xFFU);
    mantissa = bits & 0x7FFFFFU;
    if (exponent) {
        mantissa |= 0x800000U;
    } else {
        exponent = 1;
    }
    exponent -= 150;
    if (bits >> 31) {
        stinger_line_add(line, "-");
    }
    if (exponent >= 0) {
        add_large(line, mantissa, (uint32_t)exponent);
    } else {
        uint64_t value = millionths(mantissa, (uint32_t)-exponent);
        stinger_line_add_u32(line, (uint32_t)(value / MILLION));
        fraction = (uint32_t)(value % MILLION);
    }
    stinger_line_add(line, ".");
    for (divisor = MILLION / 10U; divisor; divisor /= 10U) {
        char digit[2] = {'0', '\0'};
        digit[0] = (char)('0' + (char)(fraction / divisor % 10U));
        stinger_line_add(line, digit);
    }
}

static void skip_spaces(const char **at)
{
    while (**at == ' ' || **at == '\t') {
        (*at)++;
    }
}

bool stinger_parse_decimal(const char **at, uint32_t most, uint32_t *number)
{
    const char *first;
    skip_spaces(at);
    if (**at == '+') {
        (*at)++;
    }
    first = *at;
    *number = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        uint32_t digit = (uint32_t)(**at - '0');
        if (*number > (most - digit) / 10U || digit > most) {
            return false;
        }
        *number = *number * 10U + digit;
    }
    return *at > first;
}

static int32_t hex_digit(char character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    if (character >= 'a' && character <= 'f') {
        return character - 'a' + 10;
    }
    return character >= 'A' && character <= 'F' ? character - 'A' + 10 : -1;
}

bool stinger_parse_hex(const char **at, uint32_t *number)
{
    const char *first;
    skip_spaces(at);
    if ((*at)[0] == '0' && ((*at)[1] == 'x' || (*at)[1] == 'X')) {
        *at += 2;
    }
    first = *at;
    *number = 0;
    for (; hex_digit(**at) >= 0; (*at)++) {
        if (*number > UINT32_MAX / 16U) {
            return false;
        }
        *number = *number * 16U + (uint32_t)hex_digit(**at);
    }
    return *at > first;
}
