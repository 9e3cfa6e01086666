/* op_test.c - each line of ops.def is complete. */
#include "graph/op.h"

#include "base/span.h"
#include "test.h"

static const struct {
    const char *id, *gradient;
} lines[] = {
#define OP(id, name, kind, onnx, min_in, max_in, rule, decomposition, gradient) {#id, #gradient},
#include "graph/ops.def"
#undef OP
};

TEST(ops, are_listed_in_the_table_under_their_ids)
{
    (void)state_;
    assert_int_equal(sizeof lines / sizeof *lines, QEFF_OP_COUNT);
    for (int i = 0; i < QEFF_OP_COUNT; i++)
        assert_string_equal(qeff_op_get((qeff_op)i)->id, lines[i].id);
}

TEST(ops, have_a_shape_rule)
{
    (void)state_;
    for (int i = 0; i < QEFF_OP_COUNT; i++)
        assert_true(qeff_op_get((qeff_op)i)->shape != NULL);
}

TEST(ops, that_are_composites_have_a_decomposition_and_no_onnx_name)
{
    (void)state_;
    for (int i = 0; i < QEFF_OP_COUNT; i++) {
        const qeff_op_info *op = qeff_op_get((qeff_op)i);
        if (op->kind != QEFF_OP_COMPOSITE) continue;
        assert_true(op->decompose != NULL);
        assert_null(op->onnx);
    }
}

TEST(ops, that_are_primitives_have_an_onnx_name_and_no_decomposition)
{
    (void)state_;
    for (int i = 0; i < QEFF_OP_COUNT; i++) {
        const qeff_op_info *op = qeff_op_get((qeff_op)i);
        if (op->kind != QEFF_OP_PRIMITIVE) continue;
        assert_true(op->decompose == NULL);
        assert_non_null(op->onnx);
        assert_int_equal(qeff_op_find_onnx(qeff_str_of(op->onnx)), i);
    }
}

TEST(ops, have_a_gradient_or_say_that_they_have_none)
{
    (void)state_;
    for (int i = 0; i < QEFF_OP_COUNT; i++)
        assert_true(strcmp(lines[i].gradient, "NO_GRAD") == 0 ||
                    strncmp(lines[i].gradient, "gradient_", 9) == 0);
}

TEST(ops, are_found_by_their_printed_names)
{
    (void)state_;
    for (int i = 0; i < QEFF_OP_COUNT; i++)
        assert_int_equal(qeff_op_find(qeff_str_of(qeff_op_get((qeff_op)i)->name)), i);
    assert_int_equal(qeff_op_find(QEFF_STR("no_such_op")), QEFF_OP_COUNT);
    assert_int_equal(qeff_op_find_onnx(QEFF_STR("NoSuchOp")), QEFF_OP_COUNT);
}

TEST(ops, take_at_least_as_many_operands_as_they_need)
{
    (void)state_;
    for (int i = 0; i < QEFF_OP_COUNT; i++) {
        const qeff_op_info *op = qeff_op_get((qeff_op)i);
        assert_true(op->min_inputs >= 1);
        assert_true(op->max_inputs == -1 || op->max_inputs >= op->min_inputs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(ops, are_listed_in_the_table_under_their_ids),
        RUN(ops, have_a_shape_rule),
        RUN(ops, that_are_composites_have_a_decomposition_and_no_onnx_name),
        RUN(ops, that_are_primitives_have_an_onnx_name_and_no_decomposition),
        RUN(ops, have_a_gradient_or_say_that_they_have_none),
        RUN(ops, are_found_by_their_printed_names),
        RUN(ops, take_at_least_as_many_operands_as_they_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
