// cuBLASLt and cuDNN as far as ringgrad asks them: every product and every graph has a way, needs no workspace, and computes nothing.
#include <stddef.h>
#include <stdint.h>

#define API extern "C" __attribute__((visibility("default")))
enum { INT64 = 3, NUMERICAL_NOTE = 11 };  // of cuDNN's types of attributes

struct Heuristic { uint64_t algorithm[8]; size_t workspace; int status; float waves; int reserved[4]; };
static void* made() { return (void*)0x10; }

API size_t cublasLtGetVersion() { return 130100; }
API const char* cublasLtGetStatusString(int) { return "refused"; }
API int cublasLtCreate(void** out) { *out = made(); return 0; }
API int cublasLtMatrixLayoutCreate(void** out, int, uint64_t, uint64_t, int64_t) { *out = made(); return 0; }
API int cublasLtMatmulDescCreate(void** out, int, int) { *out = made(); return 0; }
API int cublasLtMatmulPreferenceCreate(void** out) { *out = made(); return 0; }
API int cublasLtMatrixLayoutSetAttribute(void*, int, const void*, size_t) { return 0; }
API int cublasLtMatmulDescSetAttribute(void*, int, const void*, size_t) { return 0; }
API int cublasLtMatmulPreferenceSetAttribute(void*, int, const void*, size_t) { return 0; }
API int cublasLtMatmulAlgoGetHeuristic(void*, void*, void*, void*, void*, void*, void*, int, Heuristic* out, int* number) {
    *out = Heuristic{};
    *number = 1;
    return 0;
}
API int cublasLtMatmul(void*, void*, const void*, const void*, void*, const void*, void*, const void*, const void*, void*, void*, void*, const void*,
                       void*, size_t, void*) { return 0; }

API size_t cudnnGetVersion() { return 92000; }
API const char* cudnnGetErrorString(int) { return "refused"; }
API int cudnnCreate(void** out) { *out = made(); return 0; }
API int cudnnSetStream(void*, void*) { return 0; }
API int cudnnBackendCreateDescriptor(int, void** out) { *out = made(); return 0; }
API int cudnnBackendDestroyDescriptor(void*) { return 0; }
API int cudnnBackendSetAttribute(void*, int, int, int64_t, const void*) { return 0; }
API int cudnnBackendGetAttribute(void*, int, int type, int64_t room, int64_t* number, void* out) {
    *number = type != NUMERICAL_NOTE;
    if (type == INT64 && room) *(int64_t*)out = 0;
    return 0;
}
API int cudnnBackendFinalize(void*) { return 0; }
API int cudnnBackendExecute(void*, void*, void*) { return 0; }
