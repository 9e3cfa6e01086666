/* completion.c - a completion script for bash: commands, options, the words and files they take.
 *
 * The script needs nothing but bash 4. Where it gives no word, bash falls back to file names. `=`
 * is a word break for bash, so `--format=p` arrives as three words. */
#include "cli/manual.h"

static void add_options(const cli_command *command, cli_text *out)
{
    cli_text_format(out, "        %s) words='", command->name);
    for (const cli_option *o = command->options; o->name; o++)
        cli_text_format(out, "--%s ", o->name);
    cli_text_add(out, "--help' ;;\n");
}

static void add_values(const cli_command *command, cli_text *out)
{
    for (const cli_option *o = command->options; o->name; o++) {
        if (!o->value_name) continue;
        cli_text_format(out, "        %s:--%s", command->name, o->name);
        if (o->short_name) cli_text_format(out, "|%s:-%c", command->name, o->short_name);
        cli_text_add(out, ") ");
        if (o->choices) {
            cli_text_add(out, "values='");
            for (const char *const *c = o->choices; *c; c++)
                cli_text_format(out, "%s%s", c == o->choices ? "" : " ", *c);
            cli_text_add(out, "' ;;\n");
        } else if (o->kind == CLI_PATH) {
            cli_text_add(out, "kind=file ;;\n");
        } else if (o->kind == CLI_FOLDER) {
            cli_text_add(out, "kind=folder ;;\n");
        } else {
            cli_text_add(out, "kind=nothing ;;\n");
        }
    }
}

void cli_completion_bash(cli_text *out)
{
    cli_text_add(out, "# bash completion of qeff, made by `qeff __completion bash`\n"
                      "_qeff() {\n"
                      "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                      "    local command=${COMP_WORDS[1]-} words='' values='' kind=''\n"
                      "    COMPREPLY=()\n"
                      "    if [ \"$cur\" = '=' ]; then\n"
                      "        cur=''\n"
                      "    elif [ \"$prev\" = '=' ]; then\n"
                      "        prev=${COMP_WORDS[COMP_CWORD-2]}\n"
                      "    fi\n"
                      "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                      "        COMPREPLY=($(compgen -W '");
    for (const cli_command *const *c = cli_commands; *c; c++)
        cli_text_format(out, "%s ", (*c)->name);
    cli_text_add(out, "help version --help --version' -- \"$cur\"))\n"
                      "        return\n"
                      "    fi\n"
                      "    case $command:$prev in\n"
                      "        help:help) values='");
    for (const cli_command *const *c = cli_commands; *c; c++)
        cli_text_format(out, "%s%s", c == cli_commands ? "" : " ", (*c)->name);
    cli_text_add(out, "' ;;\n");
    for (const cli_command *const *c = cli_commands; *c; c++)
        add_values(*c, out);
    cli_text_add(out, "    esac\n"
                      "    if [ -n \"$values\" ]; then\n"
                      "        COMPREPLY=($(compgen -W \"$values\" -- \"$cur\"))\n"
                      "        return\n"
                      "    fi\n"
                      "    case $kind in\n"
                      "        file) return ;;\n"
                      "        nothing) compopt +o default 2>/dev/null; return ;;\n"
                      "        folder)\n"
                      "            compopt -o filenames 2>/dev/null\n"
                      "            local IFS=$'\\n'\n"
                      "            COMPREPLY=($(compgen -d -- \"$cur\"))\n"
                      "            return ;;\n"
                      "    esac\n"
                      "    case $cur in -*) ;; *) return ;; esac\n"
                      "    case $command in\n");
    for (const cli_command *const *c = cli_commands; *c; c++)
        add_options(*c, out);
    cli_text_add(out, "    esac\n"
                      "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                      "}\n"
                      "complete -o default -F _qeff qeff\n");
}
