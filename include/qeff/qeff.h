/* qeff/qeff.h - all of libqeff. */
#ifndef QEFF_QEFF_H
#define QEFF_QEFF_H

#include <qeff/auto_model.h>
#include <qeff/base.h>
#include <qeff/bench.h>
#include <qeff/inspect.h>
#include <qeff/program.h>
#include <qeff/session.h>
#include <qeff/tensor.h>
#include <qeff/tokenizer.h>
#include <qeff/transformers_base.h>

#endif /* QEFF_QEFF_H */
