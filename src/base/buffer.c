/* buffer.c - growable bytes with a sticky error. */
#include "base/buffer.h"

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/span.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

uint8_t *qeff_buffer_extend(qeff_buffer *buffer, size_t size)
{
    size_t need = 0;
    if (buffer->failed || !qeff_add_size(buffer->size, size, &need)) {
        buffer->failed = true;
        return NULL;
    }
    if (need > buffer->capacity || !buffer->data) {
        size_t wanted = buffer->capacity < 64 ? 64 : buffer->capacity;
        while (wanted < need)
            if (!qeff_mul_size(wanted, 2, &wanted)) wanted = need;
        uint8_t *moved = qeff_realloc(buffer->data, wanted);
        if (!moved) {
            buffer->failed = true;
            return NULL;
        }
        buffer->data = moved;
        buffer->capacity = wanted;
    }
    uint8_t *start = buffer->data + buffer->size;
    buffer->size = need;
    return start;
}

void qeff_buffer_append(qeff_buffer *buffer, const void *data, size_t size)
{
    uint8_t *start = qeff_buffer_extend(buffer, size);
    if (start && size) memcpy(start, data, size);
}

void qeff_buffer_append_str(qeff_buffer *buffer, qeff_str text)
{
    qeff_buffer_append(buffer, text.data, text.size);
}

void qeff_buffer_append_text(qeff_buffer *buffer, const char *text)
{
    qeff_buffer_append(buffer, text, strlen(text));
}

void qeff_buffer_append_byte(qeff_buffer *buffer, uint8_t byte)
{
    qeff_buffer_append(buffer, &byte, 1);
}

void qeff_buffer_format(qeff_buffer *buffer, const char *format, ...)
{
    char text[512];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length < 0) {
        buffer->failed = true;
    } else if ((size_t)length < sizeof text) {
        qeff_buffer_append(buffer, text, (size_t)length);
    } else {
        char *start = (char *)qeff_buffer_extend(buffer, (size_t)length + 1);
        if (start) {
            (void)vsnprintf(start, (size_t)length + 1, format, again);
            buffer->size--; /* the NUL */
        }
    }
    va_end(again);
}

void qeff_buffer_pad(qeff_buffer *buffer, size_t unit)
{
    const size_t rest = buffer->size % unit;
    if (!rest) return;
    uint8_t *start = qeff_buffer_extend(buffer, unit - rest);
    if (start) memset(start, 0, unit - rest);
}

void qeff_buffer_append_json(qeff_buffer *buffer, qeff_str text)
{
    qeff_buffer_append_byte(buffer, '"');
    for (size_t i = 0; i < text.size;) {
        uint32_t c = 0;
        const size_t n = qeff_utf8_decode(text.data + i, text.size - i, &c);
        if (c == '"' || c == '\\')
            qeff_buffer_format(buffer, "\\%c", (char)c);
        else if (c == '\n')
            qeff_buffer_append_text(buffer, "\\n");
        else if (c < 0x20 || c == 0x7f)
            qeff_buffer_format(buffer, "\\u%04x", (unsigned)c);
        else {
            char encoded[4];
            qeff_buffer_append(buffer, encoded, qeff_utf8_encode(c, encoded));
        }
        i += n;
    }
    qeff_buffer_append_byte(buffer, '"');
}

qeff_status qeff_buffer_status(const qeff_buffer *buffer, qeff_error *err)
{
    return buffer->failed ? qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory") : QEFF_OK;
}

void qeff_buffer_deinit(qeff_buffer *buffer)
{
    qeff_free(buffer->data);
    *buffer = (qeff_buffer){0};
}
