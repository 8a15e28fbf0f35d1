/* ONNX Runtime's C API. Its table of functions keeps its order for good; in an app include the header
   that comes with the library (onnxruntime_c_api.h) in place of the few lines declared here. */
#include "runtime.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct OrtEnv OrtEnv;
typedef struct OrtStatus OrtStatus;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtValue OrtValue;
typedef struct OrtTensorTypeAndShapeInfo OrtTensorTypeAndShapeInfo;

enum { VERSION = 11, ERRORS_ONLY = 3, OPTIMIZE_ALL = 99, INT64 = 7, ARENA = 1, DEFAULT_MEMORY = 0 };

typedef struct {
    void *before_get_error_message[2];
    const char *(*GetErrorMessage)(const OrtStatus *);
    OrtStatus *(*CreateEnv)(int log_level, const char *name, OrtEnv **);
    void *before_create_session[3];
    OrtStatus *(*CreateSession)(const OrtEnv *, const char *path, const OrtSessionOptions *, OrtSession **);
    void *before_run[1];
    OrtStatus *(*Run)(OrtSession *, const void *run_options, const char *const *input_names,
                      const OrtValue *const *inputs, size_t input_count, const char *const *output_names,
                      size_t output_count, OrtValue **outputs);
    OrtStatus *(*CreateSessionOptions)(OrtSessionOptions **);
    void *before_set_optimization[12];
    OrtStatus *(*SetSessionGraphOptimizationLevel)(OrtSessionOptions *, int level);
    OrtStatus *(*SetIntraOpNumThreads)(OrtSessionOptions *, int threads);
    void *before_create_tensor[24];
    OrtStatus *(*CreateTensorWithDataAsOrtValue)(const OrtMemoryInfo *, void *data, size_t bytes,
                                                 const int64_t *shape, size_t rank, int type, OrtValue **);
    void *before_get_data[1];
    OrtStatus *(*GetTensorMutableData)(OrtValue *, void **data);
    void *before_get_count[12];
    OrtStatus *(*GetTensorShapeElementCount)(const OrtTensorTypeAndShapeInfo *, size_t *count);
    OrtStatus *(*GetTensorTypeAndShape)(const OrtValue *, OrtTensorTypeAndShapeInfo **);
    void *before_create_memory_info[3];
    OrtStatus *(*CreateCpuMemoryInfo)(int allocator, int memory, OrtMemoryInfo **);
    void *before_release_value[26];
    void (*ReleaseValue)(OrtValue *);
    void *before_release_shape[2];
    void (*ReleaseTensorTypeAndShapeInfo)(OrtTensorTypeAndShapeInfo *);
    void *before_add_entry[30];
    OrtStatus *(*AddSessionConfigEntry)(OrtSessionOptions *, const char *key, const char *value);
} OrtApi;

typedef struct {
    const OrtApi *(*GetApi)(uint32_t version);
    const char *(*GetVersionString)(void);
} OrtApiBase;

struct Runtime {
    const OrtApi *api;
    const Settings *settings;
    OrtEnv *env;
    OrtSession *session;
    OrtMemoryInfo *memory;
    int64_t *ids;
};

static bool ok(const Runtime *r, OrtStatus *status, const char *what) {
    if (status != NULL) fprintf(stderr, "%s: %s\n", what, r->api->GetErrorMessage(status));
    return status == NULL;
}

Runtime *open_runtime(const char *library, const char *folder, const Settings *settings) {
    Runtime *r = calloc(1, sizeof *r);
    char *path = join_path(folder, settings->model);
    setenv("ORT_DISABLE_TELEMETRY", "1", 1); /* read when the library loads: no events to its maker */
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    const OrtApiBase *(*get_base)(void) = NULL;
    if (handle != NULL) *(void **)&get_base = dlsym(handle, "OrtGetApiBase");
    if (get_base == NULL || r == NULL || path == NULL) {
        fprintf(stderr, "%s: not ONNX Runtime's library: %s\n", library, dlerror());
        return NULL;
    }
    r->api = get_base()->GetApi(VERSION);
    r->settings = settings;
    r->ids = malloc((settings->max_tokens + 1) * sizeof *r->ids);
    OrtSessionOptions *options = NULL;
    if (r->api == NULL || r->ids == NULL ||
        !ok(r, r->api->CreateEnv(ERRORS_ONLY, "reference", &r->env), "CreateEnv") ||
        !ok(r, r->api->CreateSessionOptions(&options), "CreateSessionOptions") ||
        !ok(r, r->api->SetIntraOpNumThreads(options, 1), "SetIntraOpNumThreads") ||
        !ok(r, r->api->SetSessionGraphOptimizationLevel(options, OPTIMIZE_ALL), "OptimizationLevel") ||
        /* Arm's kernels for processors with SME round int8 inputs otherwise: other answers, labels too. */
        !ok(r, r->api->AddSessionConfigEntry(options, "mlas.disable_kleidiai", "1"), "AddSessionConfigEntry") ||
        !ok(r, r->api->CreateSession(r->env, path, options, &r->session), "CreateSession") ||
        !ok(r, r->api->CreateCpuMemoryInfo(ARENA, DEFAULT_MEMORY, &r->memory), "CreateCpuMemoryInfo"))
        return NULL;
    fprintf(stderr, "ONNX Runtime %s\n", get_base()->GetVersionString());
    free(path);
    return r;
}

bool run(Runtime *r, const int32_t *ids, size_t count, float *logits, size_t labels) {
    const int64_t shape[2] = {1, (int64_t)count};
    OrtValue *input = NULL, *output = NULL;
    OrtTensorTypeAndShapeInfo *info = NULL;
    void *data = NULL;
    size_t found = 0;
    for (size_t i = 0; i < count; i++) r->ids[i] = ids[i];
    bool done =
        ok(r, r->api->CreateTensorWithDataAsOrtValue(r->memory, r->ids, count * sizeof *r->ids, shape, 2, INT64,
                                                     &input), "CreateTensorWithDataAsOrtValue") &&
        ok(r, r->api->Run(r->session, NULL, &r->settings->input, (const OrtValue *const *)&input, 1,
                          &r->settings->output, 1, &output), "Run") &&
        ok(r, r->api->GetTensorTypeAndShape(output, &info), "GetTensorTypeAndShape") &&
        ok(r, r->api->GetTensorShapeElementCount(info, &found), "GetTensorShapeElementCount") &&
        ok(r, r->api->GetTensorMutableData(output, &data), "GetTensorMutableData");
    if (done && found == labels) memcpy(logits, data, labels * sizeof *logits);
    if (done && found != labels) fprintf(stderr, "expected %zu logits, got %zu\n", labels, found);
    if (info != NULL) r->api->ReleaseTensorTypeAndShapeInfo(info);
    if (output != NULL) r->api->ReleaseValue(output);
    if (input != NULL) r->api->ReleaseValue(input);
    return done && found == labels;
}
