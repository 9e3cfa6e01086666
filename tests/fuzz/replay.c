/* replay.c - runs a fuzz target over a stored corpus, so that every input that once mattered is an
 * ordinary test. Arguments: files or folders. Fails where it finds nothing to replay. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    (void)fseek(file, 0, SEEK_END);
    const long size = ftell(file);
    (void)fseek(file, 0, SEEK_SET);
    uint8_t *data = size >= 0 ? malloc((size_t)size + 1) : NULL;
    const size_t n = data ? fread(data, 1, (size_t)size, file) : 0;
    (void)fclose(file);
    if (data) {
        /* An exact-size copy, so that a read past the end is a read past the block. */
        uint8_t *exact = malloc(n ? n : 1);
        for (size_t i = 0; exact && i < n; i++)
            exact[i] = data[i];
        (void)LLVMFuzzerTestOneInput(exact, n);
        free(exact);
    }
    free(data);
    return 1;
}

static int replay(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) return 0;
    if (!S_ISDIR(st.st_mode)) return replay_file(path);
    int n = 0;
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char name[4096];
        if (entry->d_name[0] == '.') continue;
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        n += replay(name);
    }
    if (folder) (void)closedir(folder);
    return n;
}

int main(int argc, char **argv)
{
    int n = 0;
    for (int i = 1; i < argc; i++)
        n += replay(argv[i]);
    (void)printf("%d inputs replayed\n", n);
    return n > 0 ? 0 : 1;
}
