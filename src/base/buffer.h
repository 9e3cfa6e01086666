/* buffer.h - bytes that grow at the end. Errors are sticky: append freely, check `failed` once. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <qeff/base.h>

/** Zero-initialise. After `failed` nothing more is appended; what was there stays valid. */
typedef struct qeff_buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    bool failed; /**< an allocation failed or the size overflowed */
} qeff_buffer;

void qeff_buffer_append(qeff_buffer *buffer, const void *data, size_t size);
void qeff_buffer_append_str(qeff_buffer *buffer, qeff_str text);
void qeff_buffer_append_text(qeff_buffer *buffer, const char *text);
void qeff_buffer_append_byte(qeff_buffer *buffer, uint8_t byte);
/** printf into the buffer; no NUL is added. */
void qeff_buffer_format(qeff_buffer *buffer, const char *format, ...) QEFF_PRINTF(2, 3);
/** Appends zero bytes until the size is a multiple of `unit`. */
void qeff_buffer_pad(qeff_buffer *buffer, size_t unit);
/** Appends `text` as a quoted JSON string; invalid UTF-8 becomes U+FFFD. */
void qeff_buffer_append_json(qeff_buffer *buffer, qeff_str text);
/** Grows by `size` uninitialised bytes and returns their start; NULL on failure. */
uint8_t *qeff_buffer_extend(qeff_buffer *buffer, size_t size);
/** QEFF_OK, or QEFF_ERR_NO_MEMORY where an append failed. */
qeff_status qeff_buffer_status(const qeff_buffer *buffer, qeff_error *err);
void qeff_buffer_deinit(qeff_buffer *buffer);

static inline qeff_bytes qeff_buffer_bytes(const qeff_buffer *buffer)
{
    return (qeff_bytes){buffer->data, buffer->size};
}

static inline qeff_str qeff_buffer_str(const qeff_buffer *buffer)
{
    return (qeff_str){(const char *)buffer->data, buffer->size};
}

#endif /* BASE_BUFFER_H */
