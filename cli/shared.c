/* shared.c - what several commands offer alike. */
#include "cli/shared.h"

#include "cli/output.h"
#include "cli/report.h"
#include "cli/text.h"

const char *const cli_pooling_modes[] = {
    "mean", "max", "cls", "mean_sqrt_len_tokens", "weightedmean", "lasttoken", "none", NULL};

const char *const cli_precisions[] = {"fp32", "bf16", "int8", "int8-mixed", NULL};

void cli_note_of_model(const char *path, const qeff_auto_model *model)
{
    const char *notice = model ? qeff_auto_model_notice(model) : NULL;
    if (notice) cli_note("%s: %s", path, notice);
}

int cli_print_line(const cli_command *command, const char *line)
{
    qeff_error err = {0};
    cli_text text = {0};
    cli_text_format(&text, "%s\n", line);
    qeff_status status = cli_text_status(&text, &err);
    if (!status) status = cli_print(text.data, text.size, &err);
    cli_text_deinit(&text);
    return status ? cli_report(command, &err) : CLI_OK;
}
