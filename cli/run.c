/* run.c - qeff run: a program on named arrays. */
#include "cli/report.h"
#include "cli/shared.h"

#include <qeff/program.h>
#include <qeff/session.h>

#include <sys/stat.h>

typedef struct run_values {
    const char *output;
    size_t threads;
} run_values;

static const cli_option options[] = {{.name = "output",
                                      .short_name = 'o',
                                      .kind = CLI_PATH,
                                      .offset = offsetof(run_values, output),
                                      .value_name = "FILE",
                                      .help = "write the outputs there as .npz; needed"},
                                     CLI_OPTION_THREADS(run_values),
                                     {0}};

static const cli_operand operands[] = {
    {.name = "DIR", .help = "a program folder"},
    {.name = "IN", .help = "a .npz file with the program's inputs, stored without compression"},
    {0}};

static const char *const description[] = {
    "Runs a program once on the arrays of a .npz file, by name, writes its outputs as .npz, and "
    "prints the path of that file. qeff inspect DIR lists the inputs and outputs. A program of a "
    "text model takes input_ids and attention_mask, int64 [batch_size, seq_len]; the mask holds 1 "
    "for tokens and 0 for padding.",
    NULL};

static const cli_example examples[] = {
    {"Run a program", "qeff run program in.npz -o out.npz"},
    {"With one thread", "qeff run program in.npz -o out.npz --threads 1"},
    {"What it takes and gives", "qeff inspect program"},
    {0}};

/* The file is put in place by renaming: that would remove a device. */
static qeff_status check_output(const char *path, qeff_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0 || S_ISREG(info.st_mode)) return QEFF_OK;
    return cli_fail(err, QEFF_ERR_INVALID, "%s: expected a name for a regular file, found %s", path,
                    S_ISDIR(info.st_mode) ? "a folder" : "a device or pipe");
}

static qeff_status
run_program(const qeff_program *program, const run_values *v, const char *path, qeff_error *err)
{
    qeff_tensors *inputs = NULL, *outputs = NULL;
    qeff_session *session = NULL;
    const qeff_session_options how = {.n_threads = (int)v->threads};
    qeff_status status = qeff_tensors_read_npz(path, &inputs, err);
    if (!status) status = qeff_session_create(program, &how, &session, err);
    if (!status) status = qeff_session_run(session, inputs->items, inputs->count, &outputs, err);
    if (!status) status = qeff_tensors_write_npz(v->output, outputs->items, outputs->count, err);
    qeff_tensors_destroy(outputs);
    qeff_tensors_destroy(inputs);
    (void)qeff_session_destroy(session);
    return status;
}

static int run(const cli_command *command, void *values, const cli_operands *args)
{
    const run_values *v = values;
    qeff_error err = {0};
    qeff_program *program = NULL;
    if (!v->output) return cli_report_usage(command, "--output: expected FILE, found nothing");
    qeff_status status = check_output(v->output, &err);
    if (!status) status = qeff_program_open(args->items[0], &program, &err);
    if (!status) status = run_program(program, v, args->items[1], &err);
    qeff_program_close(program);
    return status ? cli_report(command, &err) : cli_print_line(command, v->output);
}

const cli_command cli_run = {.name = "run",
                             .summary = "run a program on arrays",
                             .description = description,
                             .operands = operands,
                             .options = options,
                             .examples = examples,
                             .values_size = sizeof(run_values),
                             .run = run};
_Static_assert(sizeof(run_values) <= CLI_VALUES_MAX, "values do not fit");
