/* What of the CUDA driver cuDNN's libraries want when they plan for a device that is not there: everything succeeds, and nothing is done. */

#define SUCCEEDS(name) int name(void) { return 0; }
#define GIVES_A_HANDLE(name) int name(void** made) { *made = (void*)16; return 0; }
#define GIVES(name, value) int name(int* found) { *found = value; return 0; }

SUCCEEDS(cuGetErrorString) SUCCEEDS(cuGetErrorName) SUCCEEDS(cuModuleUnload) SUCCEEDS(cuTensorMapEncodeIm2col)
SUCCEEDS(cuTensorMapEncodeTiled) SUCCEEDS(cuCtxGetLimit) SUCCEEDS(cuCtxPopCurrent) SUCCEEDS(cuCtxPushCurrent) SUCCEEDS(cuStreamGetCtx)
SUCCEEDS(cuLinkCreate) SUCCEEDS(cuLinkAddData) SUCCEEDS(cuLinkComplete) SUCCEEDS(cuLinkDestroy) SUCCEEDS(cuLaunchKernel)
SUCCEEDS(cuLaunchCooperativeKernel) SUCCEEDS(cuLaunchKernelEx) SUCCEEDS(cuLibraryUnload) SUCCEEDS(cuKernelSetAttribute)
SUCCEEDS(cuKernelGetAttribute) SUCCEEDS(cuOccupancyMaxPotentialClusterSize)
GIVES_A_HANDLE(cuModuleLoadData) GIVES_A_HANDLE(cuModuleGetFunction) GIVES_A_HANDLE(cuLibraryLoadData)
GIVES_A_HANDLE(cuLibraryLoadFromFile) GIVES_A_HANDLE(cuLibraryGetKernel) GIVES_A_HANDLE(cuKernelGetFunction)
GIVES_A_HANDLE(cuCtxGetCurrent)
GIVES(cuDeviceGetCount, 1) GIVES(cuDeviceGet, 0) GIVES(cuDriverGetVersion, 13000)
