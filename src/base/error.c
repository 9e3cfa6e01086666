/* error.c - the error record: one line of text, written where the fault is noticed. */
#include "base/error.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CONTEXT_MAX_WHERE_SHORT = 400 }; /* bytes of context, where not all of it fits */

const char *qeff_status_name(qeff_status status)
{
    switch (status) {
    case QEFF_OK:
        return "ok";
    case QEFF_ERR_INVALID:
        return "invalid argument";
    case QEFF_ERR_NOT_FOUND:
        return "not found";
    case QEFF_ERR_IO:
        return "input/output error";
    case QEFF_ERR_FORMAT:
        return "malformed data";
    case QEFF_ERR_UNSUPPORTED:
        return "unsupported";
    case QEFF_ERR_NO_MEMORY:
        return "out of memory";
    case QEFF_ERR_NO_SPACE:
        return "out of space";
    case QEFF_ERR_CAPACITY:
        return "over capacity";
    case QEFF_ERR_DEVICE:
        return "device error";
    case QEFF_ERR_INTERNAL:
        return "internal error";
    }
    return "unknown status";
}

/* Names and paths come from untrusted files: keep them from adding lines or terminal commands (also
 * the C1 controls of U+0080 to U+009F), and the message valid UTF-8. Only ever shortens the text.
 */
static void make_printable(char *text)
{
    const size_t size = strlen(text);
    size_t n = 0;
    for (size_t i = 0; i < size;) {
        uint32_t c = 0;
        const size_t used = qeff_utf8_decode(text + i, size - i, &c);
        const bool is_invalid =
            c == QEFF_UTF8_REPLACEMENT && (used != 3 || memcmp(text + i, "\xef\xbf\xbd", 3) != 0);
        if (c < 0x20 || (c >= 0x7f && c < 0xa0) || is_invalid) {
            text[n++] = '?';
        } else {
            memmove(text + n, text + i, used);
            n += used;
        }
        i += used;
    }
    text[n] = '\0';
}

/* A message that was cut inside a UTF-8 sequence would be invalid text: drop the torn tail. */
static void trim_torn_utf8(char *text)
{
    const size_t size = strlen(text);
    size_t start = size;
    while (start > 0 && size - start < 4 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0) return;
    const unsigned char lead = (unsigned char)text[start - 1];
    const size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (size - (start - 1) < need) text[start - 1] = '\0';
}

qeff_status qeff_fail(qeff_error *err, qeff_status code, const char *format, ...)
{
    if (!err) return code;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    trim_torn_utf8(err->message);
    make_printable(err->message);
    err->code = code;
    err->hint[0] = '\0';
    return code;
}

qeff_status qeff_within(qeff_error *err, qeff_status status, const char *format, ...)
{
    if (!err || !status) return status;
    char context[QEFF_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    const int length = vsnprintf(context, sizeof context, format, args);
    va_end(args);
    if (length < 0) return status;
    trim_torn_utf8(context);
    make_printable(context);
    size_t used = strlen(context);
    const size_t kept = strlen(err->message);
    if (used + 2 + kept >= sizeof err->message && used > CONTEXT_MAX_WHERE_SHORT) {
        context[CONTEXT_MAX_WHERE_SHORT] = '\0'; /* an endless name must not push out the fact */
        trim_torn_utf8(context);
        used = strlen(context);
    }
    const size_t room = sizeof err->message - 1 - used - 2;
    const size_t n = kept < room ? kept : room;
    memmove(err->message + used + 2, err->message, n);
    memcpy(err->message, context, used);
    memcpy(err->message + used, ": ", 2);
    err->message[used + 2 + n] = '\0';
    trim_torn_utf8(err->message);
    return status;
}

void qeff_hint(qeff_error *err, const char *format, ...)
{
    if (!err || err->hint[0]) return;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->hint, sizeof err->hint, format, args);
    va_end(args);
    trim_torn_utf8(err->hint);
    make_printable(err->hint);
}

static qeff_status status_of_errno(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return QEFF_ERR_NOT_FOUND;
    case ENOMEM:
        return QEFF_ERR_NO_MEMORY;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return QEFF_ERR_NO_SPACE;
    default:
        return QEFF_ERR_IO;
    }
}

/* strerror() is not thread-safe and follows the locale, so the common causes are spelt out. */
static const char *text_of_errno(int error)
{
    switch (error) {
    case ENOENT:
        return "no such file or folder";
    case ENOTDIR:
        return "a part of the path is not a folder";
    case EISDIR:
        return "is a folder";
    case EACCES:
    case EPERM:
        return "permission denied";
    case ENOMEM:
        return "out of memory";
    case ENOSPC:
        return "no space left on the device";
    case EDQUOT:
        return "disk quota exceeded";
    case EFBIG:
        return "file too large for the system";
    case EROFS:
        return "read-only file system";
    case EMFILE:
    case ENFILE:
        return "too many open files";
    case EEXIST:
        return "already exists";
    case ENOTEMPTY:
        return "folder is not empty";
    case ENAMETOOLONG:
        return "name too long";
    case ELOOP:
        return "too many symbolic links";
    case EIO:
        return "input/output error";
    case EPIPE:
        return "broken pipe";
    case EXDEV:
        return "crosses file systems";
    case ESTALE:
        return "stale file";
    default:
        return NULL;
    }
}

qeff_status qeff_fail_system(qeff_error *err, int error, const char *format, ...)
{
    const qeff_status code = status_of_errno(error);
    char subject[QEFF_ERROR_MESSAGE_MAX - 128]; /* leaves room for the cause */
    va_list args;
    va_start(args, format);
    (void)vsnprintf(subject, sizeof subject, format, args);
    va_end(args);
    const char *text = text_of_errno(error);
    if (!text) return qeff_fail(err, code, "%s: system error %d", subject, error);
    return qeff_fail(err, code, "%s: %s", subject, text);
}
