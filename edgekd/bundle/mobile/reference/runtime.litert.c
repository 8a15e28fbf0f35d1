/* LiteRT's C API (2.3): one signature a number of tokens; a text takes the next longer one and is padded.
   In an app include LiteRT's own headers (litert/c) in place of the few lines declared here. */
#include "runtime.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void *Handle;
enum { ON_CPU = 1, HOST_MEMORY = 1, FLOAT32 = 1, INT32 = 2, READ = 0, WRITE = 1, INPUTS = 2 };

/* LiteRtRankedTensorType: an element's type, then LiteRtLayout. */
typedef struct {
    int32_t element_type;
    unsigned rank : 7, has_strides : 1;
    int32_t dimensions[8];
    uint32_t strides[8];
} TensorType;

struct Runtime {
    const Settings *settings;
    Handle env, model, options, compiled;
    struct {
        Handle inputs[INPUTS];  /* in the model's order */
        size_t ids, mask;       /* places in it */
        Handle logits;
    } bucket[MOST_SIGNATURES];
    size_t labels;
    int (*CreateEnvironment)(int count, const void *options, Handle *env);
    int (*CreateModelFromFile)(Handle env, const char *path, Handle *model);
    int (*CreateOptions)(Handle *options);
    int (*SetOptionsHardwareAccelerators)(Handle options, int accelerators);
    int (*CreateOpaqueOptions)(const char *name, void *text, void (*release)(void *), Handle *options);
    int (*AddOpaqueOptions)(Handle options, Handle opaque);
    int (*CreateCompiledModel)(Handle env, Handle model, Handle options, Handle *compiled);
    int (*GetModelSignature)(Handle model, size_t index, Handle *signature);
    int (*GetSignatureKey)(Handle signature, const char **name);
    int (*GetNumSignatureInputs)(Handle signature, size_t *count);
    int (*GetSignatureInputName)(Handle signature, size_t index, const char **name);
    int (*GetSignatureOutputTensorByIndex)(Handle signature, size_t index, Handle *tensor);
    int (*GetRankedTensorType)(Handle tensor, TensorType *type);
    int (*CreateManagedTensorBuffer)(Handle env, int memory, const TensorType *type, size_t bytes, Handle *buffer);
    int (*LockTensorBuffer)(Handle buffer, void **data, int mode);
    int (*UnlockTensorBuffer)(Handle buffer);
    int (*RunCompiledModel)(Handle compiled, size_t signature, size_t input_count, Handle *inputs,
                            size_t output_count, Handle *outputs);
};

static bool ok(int status, const char *what) {
    if (status != 0) fprintf(stderr, "LiteRt%s: status %d\n", what, status);
    return status == 0;
}

#define CALL(name, ...) ok(r->name(__VA_ARGS__), #name)
#define FIND(name) (*(void **)&r->name = dlsym(library, "LiteRt" #name)) != NULL

static bool find_functions(Runtime *r, void *library) {
    return FIND(CreateEnvironment) && FIND(CreateModelFromFile) && FIND(CreateOptions) &&
           FIND(SetOptionsHardwareAccelerators) && FIND(CreateOpaqueOptions) && FIND(AddOpaqueOptions) &&
           FIND(CreateCompiledModel) && FIND(GetModelSignature) &&
           FIND(GetSignatureKey) && FIND(GetNumSignatureInputs) && FIND(GetSignatureInputName) &&
           FIND(GetSignatureOutputTensorByIndex) && FIND(GetRankedTensorType) &&
           FIND(CreateManagedTensorBuffer) && FIND(LockTensorBuffer) && FIND(UnlockTensorBuffer) &&
           FIND(RunCompiledModel);
}

/* One thread, and the kernels that gave the golden answers; XNNPACK is the default. */
static bool set_options(Runtime *r) {
    char text[64];
    const char *kernels = r->settings->kernels == NULL ? "xnnpack" : r->settings->kernels;
    snprintf(text, sizeof text, "kernel_mode = %d\nnum_threads = 1\n", !strcmp(kernels, "builtin") ? 2 : 0);
    Handle cpu = NULL;
    return CALL(CreateOptions, &r->options) && CALL(SetOptionsHardwareAccelerators, r->options, ON_CPU) &&
           CALL(CreateOpaqueOptions, "xnnpack", strdup(text), free, &cpu) &&
           CALL(AddOpaqueOptions, r->options, cpu);
}

static bool open_bucket(Runtime *r, size_t place) {
    const Signature *wanted = &r->settings->signatures[place];
    size_t inputs = 0;
    Handle signature = NULL, tensor = NULL;
    const char *name = "";
    if (!CALL(GetModelSignature, r->model, wanted->index, &signature) ||
        !CALL(GetSignatureKey, signature, &name) || !CALL(GetNumSignatureInputs, signature, &inputs))
        return false;
    if (strcmp(name, wanted->name) != 0 || inputs != INPUTS) {
        fprintf(stderr, "%s: signature %zu is %s with %zu inputs, expected %s with %d\n", r->settings->model,
                wanted->index, name, inputs, wanted->name, INPUTS);
        return false;
    }
    TensorType ids = {INT32, 2, 0, {1, wanted->tokens}, {0}}, logits;
    for (size_t i = 0; i < INPUTS; i++) {
        if (!CALL(GetSignatureInputName, signature, i, &name)) return false;
        if (!strcmp(name, r->settings->input)) r->bucket[place].ids = i;
        else r->bucket[place].mask = i;
        if (!CALL(CreateManagedTensorBuffer, r->env, HOST_MEMORY, &ids, (size_t)wanted->tokens * sizeof(int32_t),
                  &r->bucket[place].inputs[i]))
            return false;
    }
    if (!CALL(GetSignatureOutputTensorByIndex, signature, 0, &tensor) ||
        !CALL(GetRankedTensorType, tensor, &logits) || logits.element_type != FLOAT32)
        return false;
    r->labels = 1;
    for (size_t i = 0; i < logits.rank; i++) r->labels *= (size_t)logits.dimensions[i];
    return CALL(CreateManagedTensorBuffer, r->env, HOST_MEMORY, &logits, r->labels * sizeof(float),
                &r->bucket[place].logits);
}

Runtime *open_runtime(const char *library, const char *folder, const Settings *settings) {
    Runtime *r = calloc(1, sizeof *r);
    char *path = join_path(folder, settings->model);
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL || r == NULL || path == NULL || !find_functions(r, handle)) {
        fprintf(stderr, "%s: not LiteRT's library: %s\n", library, dlerror());
        return NULL;
    }
    r->settings = settings;
    if (!CALL(CreateEnvironment, 0, NULL, &r->env) || !CALL(CreateModelFromFile, r->env, path, &r->model) ||
        !set_options(r) || !CALL(CreateCompiledModel, r->env, r->model, r->options, &r->compiled))
        return NULL;
    for (size_t i = 0; i < settings->signature_count; i++)
        if (!open_bucket(r, i)) return NULL;
    free(path);
    return r;
}

static bool write_row(Runtime *r, Handle buffer, size_t tokens, const int32_t *ids, size_t count) {
    void *data = NULL;
    if (!CALL(LockTensorBuffer, buffer, &data, WRITE)) return false;
    int32_t *row = data;
    for (size_t i = 0; i < tokens; i++) row[i] = i >= count ? 0 : ids == NULL ? 1 : ids[i];
    return CALL(UnlockTensorBuffer, buffer);
}

bool run(Runtime *r, const int32_t *ids, size_t count, float *logits, size_t labels) {
    size_t i = 0;
    while (i < r->settings->signature_count && (size_t)r->settings->signatures[i].tokens < count) i++;
    if (i == r->settings->signature_count || r->labels != labels) {
        fprintf(stderr, "no signature for %zu tokens, or %zu logits for %zu labels\n", count, r->labels, labels);
        return false;
    }
    size_t tokens = (size_t)r->settings->signatures[i].tokens;
    Handle *inputs = r->bucket[i].inputs;
    void *data = NULL;
    if (!write_row(r, inputs[r->bucket[i].ids], tokens, ids, count) ||
        !write_row(r, inputs[r->bucket[i].mask], tokens, NULL, count) ||
        !CALL(RunCompiledModel, r->compiled, r->settings->signatures[i].index, INPUTS, inputs, 1, &r->bucket[i].logits) ||
        !CALL(LockTensorBuffer, r->bucket[i].logits, &data, READ))
        return false;
    memcpy(logits, data, labels * sizeof *logits);
    return CALL(UnlockTensorBuffer, r->bucket[i].logits);
}
