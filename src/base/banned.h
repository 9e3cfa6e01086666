/* banned.h - functions that this project does not use; included into every source by the build. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol atof srand gets strncpy

#endif /* BASE_BANNED_H */
