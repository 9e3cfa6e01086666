/* registry.c - the list of architectures and the choice among them. */
#include "models/registry.h"

#include "base/error.h"
#include "base/span.h"

#include <stdio.h>

static const qeff_arch *const archs[] = {
#define ARCH(name) &qeff_arch_##name,
#include "models/archs.def"
#undef ARCH
    NULL,
};

const qeff_arch *qeff_arch_at(size_t index)
{
    return index < sizeof archs / sizeof *archs ? archs[index] : NULL;
}

const qeff_arch *qeff_arch_find(qeff_str model_type)
{
    for (size_t i = 0; archs[i]; i++)
        if (qeff_str_is(model_type, archs[i]->model_type)) return archs[i];
    return NULL;
}

const qeff_arch *qeff_arch_find_class(qeff_str class_name, const char **name)
{
    for (size_t i = 0; archs[i]; i++) {
        for (size_t k = 0; archs[i]->classes[k]; k++) {
            if (!qeff_str_is(class_name, archs[i]->classes[k])) continue;
            *name = archs[i]->classes[k];
            return archs[i];
        }
    }
    return NULL;
}

static qeff_status fail_unknown(qeff_error *err, const char *key, qeff_str found, bool by_type)
{
    char known[512];
    size_t used = 0;
    known[0] = '\0';
    for (size_t i = 0; archs[i]; i++) {
        const char *name = by_type ? archs[i]->model_type : archs[i]->classes[0];
        const int n = snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", name);
        if (n < 0 || (size_t)n >= sizeof known - used) break;
        used += (size_t)n;
    }
    return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "key '%s': unknown architecture '%.*s', known: %s",
                     key, QEFF_STR_ARGS(found), known);
}

/* The first entry of "architectures"; empty where the key is missing, null or an empty list. */
static qeff_status read_class(qeff_json config, qeff_str *out, qeff_error *err)
{
    const qeff_json list = qeff_json_find(config, "architectures");
    const qeff_json_kind kind = qeff_json_kind_of(list);
    *out = (qeff_str){NULL, 0};
    if (kind == QEFF_JSON_MISSING || kind == QEFF_JSON_NULL) return QEFF_OK;
    QEFF_TRY(qeff_json_expect(list, QEFF_JSON_ARRAY, err));
    if (qeff_json_count(list) == 0) return QEFF_OK;
    return qeff_within(err, qeff_json_to_str(qeff_json_at(list, 0), out, err),
                       "key 'architectures'");
}

qeff_status
qeff_arch_select(qeff_json config, const qeff_arch **out, const char **class_name, qeff_error *err)
{
    qeff_str model_type = {NULL, 0}, first_class = {NULL, 0};
    const char *known_class = NULL;
    QEFF_TRY(qeff_json_expect(config, QEFF_JSON_OBJECT, err));
    QEFF_TRY(qeff_json_optional_str(config, "model_type", &model_type, err));
    QEFF_TRY(read_class(config, &first_class, err));
    if (!model_type.data && !first_class.data)
        return qeff_fail(err, QEFF_ERR_FORMAT, "neither key 'model_type' nor key 'architectures'");

    const qeff_arch *by_class = qeff_arch_find_class(first_class, &known_class);
    const qeff_arch *arch = model_type.data ? qeff_arch_find(model_type) : by_class;
    if (!arch && model_type.data) return fail_unknown(err, "model_type", model_type, true);
    if (!arch) return fail_unknown(err, "architectures", first_class, false);
    *out = arch;
    *class_name = by_class == arch ? known_class : arch->classes[0];
    return QEFF_OK;
}
