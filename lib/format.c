/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/format.h"

#include <stdbool.h>
#include <stdint.h>

/* One conversion of a format. */
struct conversion {
    bool left;
    bool zeros;
    bool plus;
    bool space;
    bool alternate;
    bool has_precision;
    int width;
    int precision;
    int bytes; /* of an integer argument */
    char letter;
};

struct output {
    format_put put;
    void *context;
    int count;
};

static void output_char(struct output *out, char c)
{
    out->put(out->context, c);
    out->count++;
}

static void output_repeat(struct output *out, char c, int times)
{
    while (times-- > 0)
        output_char(out, c);
}

static void output_text(struct output *out, const char *text, int length)
{
    for (int i = 0; i < length; i++)
        output_char(out, text[i]);
}

/* Text with padding around it; the prefix (sign, 0x) stays before padding zeros. */
static void output_field(struct output *out, const struct conversion *c, const char *prefix,
                         int prefix_length, int zeros, const char *text, int length)
{
    int padding = c->width - prefix_length - zeros - length;

    if (!c->left && !c->zeros)
        output_repeat(out, ' ', padding);
    output_text(out, prefix, prefix_length);
    if (!c->left && c->zeros)
        output_repeat(out, '0', padding);
    output_repeat(out, '0', zeros);
    output_text(out, text, length);
    if (c->left)
        output_repeat(out, ' ', padding);
}

static int digits_of(uint64_t value, unsigned base, bool capitals, char *end)
{
    const char *digits = capitals ? "0123456789ABCDEF" : "0123456789abcdef";
    int length = 0;

    for (; value; value /= base)
        end[-++length] = digits[value % base];
    return length;
}

static void convert_number(struct output *out, struct conversion *c, uint64_t value,
                           const char *prefix, int prefix_length, unsigned base)
{
    char text[24]; /* 2^64 - 1 has 22 octal digits */
    int length = digits_of(value, base, c->letter == 'X', text + sizeof(text));
    int precision = c->has_precision ? c->precision : 1;

    if (c->letter == 'o' && c->alternate && precision <= length)
        precision = length + 1;
    if (c->has_precision)
        c->zeros = false;
    output_field(out, c, prefix, prefix_length, precision > length ? precision - length : 0,
                 text + sizeof(text) - length, length);
}

static void convert_signed(struct output *out, struct conversion *c, int64_t value)
{
    const char *sign = value < 0 ? "-" : c->plus ? "+" : c->space ? " " : "";
    /* Negated as unsigned: the smallest number has no positive counterpart. */
    uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;

    convert_number(out, c, magnitude, sign, *sign != '\0', 10);
}

static void convert_unsigned(struct output *out, struct conversion *c, uint64_t value)
{
    bool hexadecimal = c->letter == 'x' || c->letter == 'X';
    const char *prefix = c->letter == 'X' ? "0X" : "0x";
    int prefix_length = hexadecimal && c->alternate && value ? 2 : 0;

    convert_number(out, c, value, prefix, prefix_length,
                   hexadecimal        ? 16
                   : c->letter == 'o' ? 8
                                      : 10);
}

static void convert_string(struct output *out, struct conversion *c, const char *text)
{
    int length = 0;

    if (!text)
        text = "(null)";
    while ((!c->has_precision || length < c->precision) && text[length])
        length++;
    c->zeros = false;
    output_field(out, c, "", 0, 0, text, length);
}

/* Reads decimal digits; absurd numbers stop growing instead of overflowing. */
static const char *parse_number(const char *format, int *value)
{
    *value = 0;
    for (; *format >= '0' && *format <= '9'; format++) {
        if (*value < 1000000)
            *value = *value * 10 + (*format - '0');
    }
    return format;
}

static const char *parse_flags(const char *format, struct conversion *c)
{
    for (;; format++) {
        switch (*format) {
        case '-':
            c->left = true;
            break;
        case '0':
            c->zeros = true;
            break;
        case '+':
            c->plus = true;
            break;
        case ' ':
            c->space = true;
            break;
        case '#':
            c->alternate = true;
            break;
        default:
            return format;
        }
    }
}

static const char *parse_length(const char *format, struct conversion *c)
{
    c->bytes = sizeof(int);
    switch (*format) {
    case 'h':
        if (format[1] == 'h') {
            c->bytes = 1;
            return format + 2;
        }
        c->bytes = 2;
        return format + 1;
    case 'l':
        c->bytes = 8;
        return format[1] == 'l' ? format + 2 : format + 1;
    case 'z':
    case 't':
    case 'j':
        c->bytes = 8;
        return format + 1;
    default:
        return format;
    }
}

/* va_list may be an array type, which a function cannot take by reference: hence the wrapper. */
struct arguments {
    va_list list;
};

static uint64_t argument_unsigned(struct arguments *arguments, int bytes)
{
    switch (bytes) {
    case 1:
        return (uint8_t)va_arg(arguments->list, unsigned);
    case 2:
        return (uint16_t)va_arg(arguments->list, unsigned);
    case 4:
        return va_arg(arguments->list, unsigned);
    default:
        return va_arg(arguments->list, uint64_t);
    }
}

static int64_t argument_signed(struct arguments *arguments, int bytes)
{
    switch (bytes) {
    case 1:
        return (int8_t)va_arg(arguments->list, int);
    case 2:
        return (int16_t)va_arg(arguments->list, int);
    case 4:
        return va_arg(arguments->list, int);
    default:
        return va_arg(arguments->list, int64_t);
    }
}

static const char *parse_conversion(const char *format, struct conversion *c,
                                    struct arguments *arguments)
{
    format = parse_flags(format, c);
    if (*format == '*') {
        c->width = va_arg(arguments->list, int);
        if (c->width < 0) {
            c->left = true;
            c->width = c->width == INT32_MIN ? INT32_MAX : -c->width;
        }
        format++;
    } else {
        format = parse_number(format, &c->width);
    }
    if (*format == '.') {
        format++;
        if (*format == '*') {
            c->precision = va_arg(arguments->list, int);
            c->has_precision = c->precision >= 0;
            format++;
        } else {
            c->has_precision = true;
            format = parse_number(format, &c->precision);
        }
    }
    format = parse_length(format, c);
    c->letter = *format;
    return format;
}

/* Returns false if there is no such conversion. */
static bool convert(struct output *out, struct conversion *c, struct arguments *arguments)
{
    char character;

    switch (c->letter) {
    case 'd':
    case 'i':
        convert_signed(out, c, argument_signed(arguments, c->bytes));
        return true;
    case 'u':
    case 'x':
    case 'X':
    case 'o':
        convert_unsigned(out, c, argument_unsigned(arguments, c->bytes));
        return true;
    case 'c':
        character = (char)va_arg(arguments->list, int);
        c->zeros = false;
        output_field(out, c, "", 0, 0, &character, 1);
        return true;
    case 's':
        convert_string(out, c, va_arg(arguments->list, const char *));
        return true;
    case 'p':
        c->letter = 'x';
        c->alternate = true;
        convert_unsigned(out, c, (uintptr_t)va_arg(arguments->list, void *));
        return true;
    case '%':
        output_char(out, '%');
        return true;
    default:
        return false;
    }
}

int format_to(format_put put, void *context, const char *format, va_list list)
{
    struct output out = { .put = put, .context = context };
    struct arguments arguments;

    va_copy(arguments.list, list);
    while (*format) {
        if (*format != '%') {
            output_char(&out, *format++);
            continue;
        }

        struct conversion conversion = { 0 };
        const char *end = parse_conversion(format + 1, &conversion, &arguments);

        if (convert(&out, &conversion, &arguments)) {
            format = end + 1;
        } else {
            output_char(&out, *format++);
        }
    }
    va_end(arguments.list);
    return out.count;
}

struct buffer {
    char *at;
    size_t room; /* without the terminating NUL */
};

static void buffer_put(void *context, char c)
{
    struct buffer *buffer = context;

    if (!buffer->room)
        return;
    *buffer->at++ = c;
    buffer->room--;
}

int format_text_v(char *buffer, size_t size, const char *format, va_list arguments)
{
    struct buffer target = { .at = buffer, .room = size ? size - 1 : 0 };
    int count = format_to(buffer_put, &target, format, arguments);

    if (size)
        *target.at = '\0';
    return count;
}

int format_text(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);

    int count = format_text_v(buffer, size, format, arguments);

    va_end(arguments);
    return count;
}
