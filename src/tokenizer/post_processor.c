/* post_processor.c - TemplateProcessing, BertProcessing and RobertaProcessing as templates.
 *
 *   BertProcessing     [CLS] A [SEP]      [CLS] A [SEP] B:1 [SEP]:1
 *   RobertaProcessing  <s> A </s>         <s> A </s> </s> B </s>
 *   none               A                  A B:1 */
#include "tokenizer/post_processor.h"

#include "base/error.h"
#include "base/span.h"
#include "tokenizer/normalizer.h"

typedef struct item_list {
    qeff_template_item items[QEFF_TEMPLATE_ITEMS_MAX];
    size_t n;
} item_list;

static qeff_status append(item_list *list, qeff_template_item item, qeff_error *err)
{
    if (list->n == QEFF_TEMPLATE_ITEMS_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "template of more than %d tokens",
                         QEFF_TEMPLATE_ITEMS_MAX);
    list->items[list->n++] = item;
    return QEFF_OK;
}

static qeff_status keep(const qeff_template_item *items, size_t n, qeff_arena *arena,
                        qeff_template *out, qeff_error *err)
{
    *out = (qeff_template){qeff_arena_array(arena, n, sizeof *items), n, 0};
    if (!out->items) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++) {
        out->items[i] = items[i];
        out->n_added += items[i].kind == QEFF_TEMPLATE_TOKEN;
    }
    return QEFF_OK;
}

static qeff_status read_id(qeff_json json, int32_t *out, qeff_error *err)
{
    int64_t id = 0;
    QEFF_TRY(qeff_json_to_int(json, 0, QEFF_VOCAB_SIZE_MAX - 1, &id, err));
    *out = (int32_t)id;
    return QEFF_OK;
}

static qeff_status
read_special(qeff_json piece, qeff_json special_tokens, item_list *list, qeff_error *err)
{
    qeff_str name = {NULL, 0}, key = {NULL, 0};
    int64_t type_id = 0;
    qeff_json value = {0};
    QEFF_TRY(qeff_json_to_str(qeff_json_find(piece, "id"), &name, err));
    QEFF_TRY(qeff_json_to_int(qeff_json_find(piece, "type_id"), 0, INT32_MAX, &type_id, err));
    for (void *it = NULL; qeff_json_next(special_tokens, &it, &key, &value);) {
        if (!qeff_str_equal(key, name)) continue;
        const qeff_json ids = qeff_json_find(value, "ids");
        QEFF_TRY(qeff_json_expect(ids, QEFF_JSON_ARRAY, err));
        for (size_t i = 0; i < qeff_json_count(ids); i++) {
            qeff_template_item item = {QEFF_TEMPLATE_TOKEN, 0, (int32_t)type_id};
            QEFF_TRY(read_id(qeff_json_at(ids, i), &item.id, err));
            QEFF_TRY(append(list, item, err));
        }
        return QEFF_OK;
    }
    return qeff_fail(err, QEFF_ERR_FORMAT, "template names '%.*s', which 'special_tokens' lacks",
                     QEFF_STR_ARGS(name));
}

static qeff_status
read_piece(qeff_json json, qeff_json special_tokens, item_list *list, qeff_error *err)
{
    const qeff_json sequence = qeff_json_find(json, "Sequence");
    const qeff_json special = qeff_json_find(json, "SpecialToken");
    if (qeff_json_kind_of(special) == QEFF_JSON_OBJECT)
        return read_special(special, special_tokens, list, err);
    if (qeff_json_kind_of(sequence) != QEFF_JSON_OBJECT)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "template piece is neither a 'Sequence' nor a 'SpecialToken'");
    qeff_str name = {NULL, 0};
    int64_t type_id = 0;
    QEFF_TRY(qeff_json_to_str(qeff_json_find(sequence, "id"), &name, err));
    QEFF_TRY(qeff_json_to_int(qeff_json_find(sequence, "type_id"), 0, INT32_MAX, &type_id, err));
    const bool is_a = qeff_str_is(name, "A");
    if (!is_a && !qeff_str_is(name, "B"))
        return qeff_fail(err, QEFF_ERR_FORMAT, "template names sequence '%.*s', expected A or B",
                         QEFF_STR_ARGS(name));
    return append(
        list, (qeff_template_item){is_a ? QEFF_TEMPLATE_A : QEFF_TEMPLATE_B, -1, (int32_t)type_id},
        err);
}

static qeff_status read_template(qeff_json json, const char *key, qeff_arena *arena,
                                 qeff_template *out, item_list *list, qeff_error *err)
{
    const qeff_json pieces = qeff_json_find(json, key);
    const bool is_pair = strcmp(key, "pair") == 0;
    size_t n_a = 0, n_b = 0;
    list->n = 0;
    QEFF_TRY(qeff_json_expect(pieces, QEFF_JSON_ARRAY, err));
    for (size_t i = 0; i < qeff_json_count(pieces); i++)
        QEFF_TRY(qeff_within(
            err,
            read_piece(qeff_json_at(pieces, i), qeff_json_find(json, "special_tokens"), list, err),
            "key '%s', element %zu", key, i));
    for (size_t i = 0; i < list->n; i++) {
        n_a += list->items[i].kind == QEFF_TEMPLATE_A;
        n_b += list->items[i].kind == QEFF_TEMPLATE_B;
    }
    if (n_a != 1 || n_b != is_pair)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "key '%s': expected sequence A once%s, found A %zu times, B %zu times",
                         key, is_pair ? " and B once" : "", n_a, n_b);
    return keep(list->items, list->n, arena, out, err);
}

static qeff_status read_template_processing(qeff_json json, qeff_arena *arena,
                                            qeff_post_processor *out, qeff_error *err)
{
    item_list *list = qeff_alloc_zeroed(sizeof *list);
    if (!list) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    qeff_status status = read_template(json, "single", arena, &out->single, list, err);
    if (!status) status = read_template(json, "pair", arena, &out->pair, list, err);
    qeff_free(list);
    return status;
}

/* ["[SEP]", 102] */
static qeff_status read_token(qeff_json json, const char *key, int32_t *id, qeff_error *err)
{
    const qeff_json token = qeff_json_find(json, key);
    qeff_str text = {NULL, 0};
    QEFF_TRY(qeff_json_expect(token, QEFF_JSON_ARRAY, err));
    if (qeff_json_count(token) != 2)
        return qeff_fail(err, QEFF_ERR_FORMAT, "key '%s': expected a token and its id", key);
    QEFF_TRY(qeff_json_to_str(qeff_json_at(token, 0), &text, err));
    return read_id(qeff_json_at(token, 1), id, err);
}

static qeff_status
read_bert(qeff_json json, qeff_arena *arena, qeff_post_processor *out, qeff_error *err)
{
    int32_t cls = 0, sep = 0;
    QEFF_TRY(read_token(json, "cls", &cls, err));
    QEFF_TRY(read_token(json, "sep", &sep, err));
    const qeff_template_item items[] = {{QEFF_TEMPLATE_TOKEN, cls, 0},
                                        {QEFF_TEMPLATE_A, -1, 0},
                                        {QEFF_TEMPLATE_TOKEN, sep, 0},
                                        {QEFF_TEMPLATE_B, -1, 1},
                                        {QEFF_TEMPLATE_TOKEN, sep, 1}};
    QEFF_TRY(keep(items, 3, arena, &out->single, err));
    return keep(items, 5, arena, &out->pair, err);
}

static qeff_status
read_roberta(qeff_json json, qeff_arena *arena, qeff_post_processor *out, qeff_error *err)
{
    int32_t cls = 0, sep = 0;
    QEFF_TRY(read_token(json, "cls", &cls, err));
    QEFF_TRY(read_token(json, "sep", &sep, err));
    QEFF_TRY(qeff_json_to_bool(qeff_json_find(json, "trim_offsets"), &out->trim_offsets, err));
    QEFF_TRY(
        qeff_json_to_bool(qeff_json_find(json, "add_prefix_space"), &out->add_prefix_space, err));
    const qeff_template_item items[] = {
        {QEFF_TEMPLATE_TOKEN, cls, 0}, {QEFF_TEMPLATE_A, -1, 0}, {QEFF_TEMPLATE_TOKEN, sep, 0},
        {QEFF_TEMPLATE_TOKEN, sep, 0}, {QEFF_TEMPLATE_B, -1, 0}, {QEFF_TEMPLATE_TOKEN, sep, 0}};
    QEFF_TRY(keep(items, 3, arena, &out->single, err));
    return keep(items, 6, arena, &out->pair, err);
}

static qeff_status read_none(qeff_arena *arena, qeff_post_processor *out, qeff_error *err)
{
    const qeff_template_item items[] = {{QEFF_TEMPLATE_A, -1, 0}, {QEFF_TEMPLATE_B, -1, 1}};
    QEFF_TRY(keep(items, 1, arena, &out->single, err));
    return keep(items, 2, arena, &out->pair, err);
}

qeff_status qeff_post_processor_read(qeff_json json, qeff_arena *arena, qeff_post_processor *out,
                                     qeff_error *err)
{
    static const struct {
        const char *name;
        qeff_status (*read)(qeff_json, qeff_arena *, qeff_post_processor *, qeff_error *);
    } types[] = {{"TemplateProcessing", read_template_processing},
                 {"BertProcessing", read_bert},
                 {"RobertaProcessing", read_roberta}};

    qeff_str type = {NULL, 0};
    for (size_t depth = 0;; depth++) {
        const qeff_json_kind kind = qeff_json_kind_of(json);
        if (kind == QEFF_JSON_MISSING || kind == QEFF_JSON_NULL) return read_none(arena, out, err);
        QEFF_TRY(qeff_json_expect(json, QEFF_JSON_OBJECT, err));
        QEFF_TRY(qeff_json_to_str(qeff_json_find(json, "type"), &type, err));
        if (!qeff_str_is(type, "Sequence")) break;
        /* A row of one is that one; what a longer row means depends on its members. */
        const qeff_json processors = qeff_json_find(json, "processors");
        QEFF_TRY(qeff_json_expect(processors, QEFF_JSON_ARRAY, err));
        if (depth >= QEFF_SEQUENCE_DEPTH_MAX)
            return qeff_fail(err, QEFF_ERR_FORMAT, "sequences nested deeper than %d",
                             QEFF_SEQUENCE_DEPTH_MAX);
        if (qeff_json_count(processors) != 1)
            return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "'Sequence' of %zu post-processors",
                             qeff_json_count(processors));
        json = qeff_json_at(processors, 0);
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (qeff_str_is(type, types[i].name)) return types[i].read(json, arena, out, err);
    return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "unknown post-processor '%.*s'",
                     QEFF_STR_ARGS(type));
}
