/* model_tokenizer.c - the tokenizer inside a loaded model. */
#include "api/auto_model_private.h"

const qeff_tokenizer *qeff_auto_model_tokenizer(const qeff_auto_model *model)
{
    return model->base.tokenizer;
}
