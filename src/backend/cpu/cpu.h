/* cpu.h - the embedded backend: runs programs on this processor. */
#ifndef BACKEND_CPU_CPU_H
#define BACKEND_CPU_CPU_H

#include "backend/backend.h"

/** Graphs of composites over [batch, sequence] inputs become ragged plans (plan.h); all others run
 * op by op (interpret.h). Both kinds take padded calls; is_ragged() tells which take ragged ones.
 *
 * In a padded call of a ragged program the mask says which columns are tokens. Positions are
 * columns, so padding may stand on either side or in between. Rows that the mask hides come back as
 * zeros, as do all rows of a sequence without tokens; the first column of a sequence that starts
 * hidden counts as zeros, too. */
extern const qeff_backend qeff_backend_cpu;

#endif /* BACKEND_CPU_CPU_H */
