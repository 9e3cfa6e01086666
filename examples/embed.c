/* embed.c - the cosine of two sentences.
 *
 *     cc embed.c $(pkg-config --cflags --libs qeff) -lm -o embed
 *     ./embed models/all-MiniLM-L6-v2 "a cat sleeps" "the kitten naps" */
#include <math.h>
#include <qeff/auto_model.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc != 4) return fprintf(stderr, "usage: embed MODEL TEXT TEXT\n"), 2;

    qeff_error err = {0};
    qeff_auto_model *model = NULL;
    qeff_embeddings *vectors = NULL;
    const qeff_str texts[2] = {{argv[2], strlen(argv[2])}, {argv[3], strlen(argv[3])}};

    qeff_status status = qeff_auto_model_from_pretrained(argv[1], NULL, &model, &err);
    if (!status) status = qeff_auto_model_encode(model, texts, 2, NULL, &vectors, &err);
    if (status) fprintf(stderr, "embed: %s\n", err.message);

    if (!status) {
        const float *a = vectors->values, *b = a + vectors->dim;
        double ab = 0, aa = 0, bb = 0;
        for (size_t i = 0; i < vectors->dim; i++) {
            ab += (double)a[i] * b[i];
            aa += (double)a[i] * a[i];
            bb += (double)b[i] * b[i];
        }
        printf("cosine %.4f\n", ab / sqrt(aa * bb));
    }
    qeff_embeddings_destroy(vectors);
    qeff_auto_model_destroy(model);
    return status ? 1 : 0;
}
