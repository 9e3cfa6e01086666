/* version.c - the version that the build states. */
#include <qeff/base.h>

const char *qeff_version(void)
{
    return QEFF_VERSION;
}
