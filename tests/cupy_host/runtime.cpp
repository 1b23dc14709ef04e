// What CuPy asks of the CUDA runtime and driver, in the memory of the host: allocations, copies, streams, events, captures, launches.
//
// Work is done when it is asked for, by the thread that asks: a stream is a token.  While a stream captures, work is written down instead and
// done by each launch of the graph.  Addresses, sizes and handles are checked, so that what a device would refuse is refused here too.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "device_properties.hpp"

#define API extern "C" __attribute__((visibility("default")))

enum { OK = 0, INVALID_VALUE = 1, NO_MEMORY = 2, INVALID_DEVICE = 101, PEER_UNSUPPORTED = 217, INVALID_HANDLE = 400, NOT_FOUND = 500, PEER_ALREADY = 704,
       PEER_NOT_ENABLED = 705, NOT_PINNED = 713, LAUNCH_FAILED = 719, UNSUPPORTED = 801, CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901,
       CAPTURE_UNMATCHED = 903, CAPTURE_UNJOINED = 904, CAPTURED_EVENT = 907 };

typedef std::vector<std::function<int()>> Work;
struct Capture { Work work; bool broken = false; std::set<void*> away, members; void* origin; };  // away: members that have not come home
struct Stream { unsigned flags; int priority, device; std::shared_ptr<Capture> capture; };
struct Event { unsigned flags; bool recorded; int device; std::chrono::steady_clock::time_point when; std::shared_ptr<Capture> capture; };
struct Block { size_t size; int device, type; };  // type: 1 pinned host memory, 2 device, as cudaMemoryType

static std::mutex mutex, launching;  // launching: what stands for the places of threads is a library's own, so one kernel runs at a time
static std::map<uintptr_t, Block> blocks;
static std::set<std::pair<int, int>> peers;
static size_t in_use[64];
static int devices = 1, captures = 0;
static bool launches_run = false;
static long launched = 0;
static thread_local int current = 0;
static Stream default_streams[64][2];

API void host_configure(int count, int launches) { devices = count; launches_run = launches; }
API int host_succeeds() { return OK; }
API long host_launched() { return launched; }

static const char* const NAMES[][3] = {  // number, name, words
    {"0", "Success", "no error"}, {"1", "InvalidValue", "invalid argument"}, {"2", "MemoryAllocation", "out of memory"},
    {"101", "InvalidDevice", "invalid device ordinal"}, {"217", "PeerAccessUnsupported", "peer access is not supported between these two devices"},
    {"400", "InvalidResourceHandle", "invalid resource handle"}, {"500", "SymbolNotFound", "named symbol not found"},
    {"704", "PeerAccessAlreadyEnabled", "peer access is already enabled"}, {"705", "PeerAccessNotEnabled", "peer access has not been enabled"},
    {"713", "HostMemoryNotRegistered", "part or all of the requested memory range is not mapped"},
    {"719", "LaunchFailure", "unspecified launch failure"}, {"801", "NotSupported", "operation not supported"},
    {"900", "StreamCaptureUnsupported", "operation not permitted when stream is capturing"},
    {"901", "StreamCaptureInvalidated", "operation failed due to a previous error during capture"},
    {"903", "StreamCaptureUnmatched", "the capture was not initiated in this stream"},
    {"904", "StreamCaptureUnjoined", "capturing stream has unjoined work"},
    {"907", "CapturedEvent", "operation not permitted on an event last recorded in a capturing stream"}};

static const char* text(int error, int what, const char* prefix) {
    static thread_local std::string names, words;  // CuPy reads one after it has asked for the other
    std::string& said = what == 1 ? names : words;
    for (auto& row : NAMES)
        if (atoi(row[0]) == error) return (said = std::string(what == 1 ? prefix : "") + row[what]).c_str();
    return (said = "error " + std::to_string(error)).c_str();
}
API const char* cudaGetErrorName(int error) { return text(error, 1, "cudaError"); }
API const char* cudaGetErrorString(int error) { return text(error, 2, ""); }
API int cuGetErrorName(int error, const char** out) { *out = text(error, 1, "CUDA_ERROR_"); return OK; }
API int cuGetErrorString(int error, const char** out) { *out = text(error, 2, ""); return OK; }
API int cudaGetLastError() { return OK; }
API int cudaPeekAtLastError() { return OK; }

// -- devices

API int cuInit(unsigned) { return OK; }
API int cuDriverGetVersion(int* out) { *out = 13000; return OK; }
API int cudaDriverGetVersion(int* out) { *out = 13000; return OK; }
API int cudaRuntimeGetVersion(int* out) { *out = 13000; return OK; }
API int cudaGetDeviceCount(int* out) { *out = devices; return OK; }
API int cuDeviceGetCount(int* out) { *out = devices; return OK; }
API int cuDeviceGet(int* out, int i) { *out = i; return i < devices ? OK : INVALID_DEVICE; }
API int cudaGetDevice(int* out) { *out = current; return OK; }
API int cudaSetDevice(int i) {
    if (i < 0 || i >= devices) return INVALID_DEVICE;
    current = i;
    return OK;
}
API int cudaGetDeviceProperties(cudaDeviceProp* out, int i) {
    if (i < 0 || i >= devices) return INVALID_DEVICE;
    *out = h200(i);
    return OK;
}
API int cudaDeviceGetAttribute(int* out, int attribute, int i) {
    if (i < 0 || i >= devices) return INVALID_DEVICE;
    *out = attribute_of_h200(attribute);
    return OK;
}
API int cuDeviceGetAttribute(int* out, int attribute, int i) { return cudaDeviceGetAttribute(out, attribute, i); }
API int cudaDeviceGetPCIBusId(char* out, int size, int i) { snprintf(out, size, "0000:%02x:00", i + 1); return i < devices ? OK : INVALID_DEVICE; }
API int cudaDeviceGetLimit(size_t* out, int) { *out = 0; return OK; }
API int cudaDeviceSetLimit(int, size_t) { return OK; }
API int cudaDeviceCanAccessPeer(int* out, int a, int b) { *out = a != b; return a < devices && b < devices ? OK : INVALID_DEVICE; }
API int cudaDeviceEnablePeerAccess(int other, unsigned) { return peers.insert({current, other}).second ? OK : PEER_ALREADY; }
API int cudaDeviceDisablePeerAccess(int other) { return peers.erase({current, other}) ? OK : PEER_NOT_ENABLED; }
API int cudaProfilerStart() { return OK; }
API int cudaProfilerStop() { return OK; }
API int cuCtxGetCurrent(void** out) { *out = (void*)(intptr_t)(16 + current); return OK; }
API int cuCtxSetCurrent(void* context) { return cudaSetDevice((int)(intptr_t)context - 16); }
API int cuCtxGetDevice(int* out) { *out = current; return OK; }
API int cuCtxGetStreamPriorityRange(int* least, int* most) { *least = 0; *most = -5; return OK; }
API int cuDevicePrimaryCtxRelease_v2(int) { return OK; }

// -- memory

static int allocate(void** out, size_t size, int type) {
    std::lock_guard<std::mutex> lock(mutex);
    *out = nullptr;
    if (!size) return OK;
    if (type == 2 && (in_use[current] + size > TOTAL_MEMORY)) return NO_MEMORY;
    if (posix_memalign(out, 512, size)) return NO_MEMORY;
    if (launches_run) memset(*out, 0xff, size);  // nan: what no kernel writes, shows
    else memset(*out, 0, size);
    blocks[(uintptr_t)*out] = {size, current, type};
    if (type == 2) in_use[current] += size;
    return OK;
}
static int release(void* at) {
    std::lock_guard<std::mutex> lock(mutex);
    if (!at) return OK;
    auto found = blocks.find((uintptr_t)at);
    if (found == blocks.end()) return INVALID_VALUE;
    if (found->second.type == 2) in_use[found->second.device] -= found->second.size;
    free(at);
    blocks.erase(found);
    return OK;
}
static const Block* block_of(const void* at) {
    auto next = blocks.upper_bound((uintptr_t)at);
    if (next == blocks.begin()) return nullptr;
    --next;
    return (uintptr_t)at < next->first + next->second.size ? &next->second : nullptr;
}
API int cudaMalloc(void** out, size_t size) { return allocate(out, size, 2); }
API int cudaMallocAsync(void** out, size_t size, Stream*) { return allocate(out, size, 2); }
API int cudaMallocManaged(void** out, size_t size, unsigned) { return allocate(out, size, 2); }
API int cudaHostAlloc(void** out, size_t size, unsigned) { return allocate(out, size, 1); }
API int cudaFree(void* at) { return release(at); }
API int cudaFreeAsync(void* at, Stream*) { return release(at); }
API int cudaFreeHost(void* at) { return release(at); }
API int cudaHostRegister(void* at, size_t size, unsigned) {
    std::lock_guard<std::mutex> lock(mutex);
    blocks[(uintptr_t)at] = {size, current, 1};
    return OK;
}
API int cudaHostUnregister(void* at) {
    std::lock_guard<std::mutex> lock(mutex);
    return blocks.erase((uintptr_t)at) ? OK : NOT_PINNED;
}
API int cudaMemGetInfo(size_t* free, size_t* total) { *total = TOTAL_MEMORY; *free = TOTAL_MEMORY - in_use[current]; return OK; }
struct Attributes { int type, device; void *on_device, *on_host; };
API int cudaPointerGetAttributes(Attributes* out, const void* at) {
    std::lock_guard<std::mutex> lock(mutex);
    const Block* block = block_of(at);
    *out = {block ? block->type : 0, block ? block->device : -2, block ? (void*)at : nullptr, block && block->type == 1 ? (void*)at : nullptr};
    return OK;
}

// -- streams, events, captures

static Stream* resolve(void* handle) {  // 0 and 1: the legacy default stream, 2: the thread's own
    if ((uintptr_t)handle > 2) return (Stream*)handle;
    Stream* stream = &default_streams[current][(uintptr_t)handle == 2];
    stream->device = current;
    return stream;
}
static int submit(void* handle, std::function<int()> work) {
    Stream* stream = resolve(handle);
    if (!stream->capture) return work();
    stream->capture->work.push_back(work);
    return OK;
}
static int host_waits(void* handle) {
    Stream* stream = resolve(handle);
    if (!stream->capture) return OK;
    stream->capture->broken = true;
    return CAPTURE_UNSUPPORTED;
}
API int cudaStreamCreateWithPriority(Stream** out, unsigned flags, int priority) { *out = new Stream{flags, priority, current, nullptr}; return OK; }
API int cudaStreamCreateWithFlags(Stream** out, unsigned flags) { return cudaStreamCreateWithPriority(out, flags, 0); }
API int cudaStreamCreate(Stream** out) { return cudaStreamCreateWithPriority(out, 0, 0); }
API int cudaStreamDestroy(Stream* stream) { delete stream; return OK; }
API int cudaStreamGetFlags(Stream* stream, unsigned* out) { *out = resolve(stream)->flags; return OK; }
API int cudaStreamGetPriority(Stream* stream, int* out) { *out = resolve(stream)->priority; return OK; }
API int cudaStreamSynchronize(Stream* stream) { return host_waits(stream); }
API int cudaStreamQuery(Stream* stream) { return host_waits(stream); }
API int cudaDeviceSynchronize() { return captures ? CAPTURE_UNSUPPORTED : OK; }
API int cuStreamGetCtx(Stream* stream, void** out) { *out = (void*)(intptr_t)(16 + resolve(stream)->device); return OK; }
API int cudaLaunchHostFunc(Stream* stream, void (*function)(void*), void* data) { return submit(stream, [=] { function(data); return OK; }); }
API int cudaStreamAddCallback(Stream* stream, void (*function)(void*, int, void*), void* data, unsigned) {
    if (int error = host_waits(stream)) return error;
    function(stream, OK, data);
    return OK;
}

API int cudaEventCreateWithFlags(Event** out, unsigned flags) { *out = new Event{flags, false, current, {}, nullptr}; return OK; }
API int cudaEventCreate(Event** out) { return cudaEventCreateWithFlags(out, 0); }
API int cudaEventDestroy(Event* event) { delete event; return OK; }
API int cudaEventRecord(Event* event, void* stream) {
    if (resolve(stream)->device != event->device) return INVALID_HANDLE;
    event->capture = resolve(stream)->capture;
    event->recorded = true;
    event->when = std::chrono::steady_clock::now();
    return OK;
}
API int cudaEventQuery(Event* event) { return event->capture ? CAPTURED_EVENT : OK; }
API int cudaEventSynchronize(Event* event) { return event->capture ? CAPTURED_EVENT : OK; }
API int cudaEventElapsedTime(float* out, Event* start, Event* end) {
    if (!start->recorded || !end->recorded || (start->flags | end->flags) & 2) return INVALID_HANDLE;
    *out = std::chrono::duration<float, std::milli>(end->when - start->when).count();
    return OK;
}
API int cudaStreamWaitEvent(void* handle, Event* event, unsigned) {
    Stream* stream = resolve(handle);
    if (event->capture && !stream->capture) {
        if (stream->flags == 0 && (uintptr_t)handle <= 2) return CAPTURE_UNSUPPORTED;
        stream->capture = event->capture;
        event->capture->away.insert(stream);
        event->capture->members.insert(stream);
    } else if (event->capture && event->capture == stream->capture && stream == event->capture->origin) {
        event->capture->away.clear();  // the origin waits: whoever recorded the event came home, with what it waited for
    }
    return OK;
}
API int cudaStreamBeginCapture(void* handle, int) {
    if ((uintptr_t)handle <= 1) return CAPTURE_UNSUPPORTED;
    Stream* stream = resolve(handle);
    if (stream->capture) return INVALID_VALUE;
    stream->capture = std::make_shared<Capture>();
    stream->capture->origin = stream;
    ++captures;
    return OK;
}
API int cudaStreamEndCapture(void* handle, Work** out) {
    *out = nullptr;
    auto capture = resolve(handle)->capture;
    if (!capture || capture->origin != resolve(handle)) return CAPTURE_UNMATCHED;
    --captures;
    bool unjoined = !capture->away.empty();
    for (void* stream : capture->members) ((Stream*)stream)->capture = nullptr;
    resolve(handle)->capture = nullptr;
    if (capture->broken) return CAPTURE_INVALIDATED;
    if (unjoined) return CAPTURE_UNJOINED;
    *out = new Work(capture->work);
    return OK;
}
API int cudaStreamIsCapturing(void* stream, int* out) {
    auto capture = resolve(stream)->capture;
    *out = !capture ? 0 : capture->broken ? 2 : 1;
    return OK;
}
API int cudaGraphInstantiate(Work** out, Work* graph, unsigned long long) { *out = new Work(*graph); return OK; }
API int cudaGraphDestroy(Work* graph) { delete graph; return OK; }
API int cudaGraphExecDestroy(Work* graph) { delete graph; return OK; }
API int cudaGraphUpload(Work*, void*) { return OK; }
API int cudaGraphLaunch(Work* graph, void* stream) {
    for (auto& work : *graph)
        if (int error = submit(stream, work)) return error;
    return OK;
}

// -- copies

// Where kernels are not launched, memory of a device holds zeros, whatever is copied there: what is read back depends on nothing.
static bool stays_zero(const void* at) {
    std::lock_guard<std::mutex> lock(mutex);
    const Block* block = launches_run ? nullptr : block_of(at);
    return block && block->type == 2;
}
static int copy(void* to, const void* from, size_t size, void* stream, bool waits) {
    if (size && (!to || !from)) return INVALID_VALUE;
    if (stays_zero(to)) return waits ? host_waits(stream) : OK;
    if (waits && captures && resolve(stream)->capture) return host_waits(stream);
    return submit(stream, [=] { memmove(to, from, size); return OK; });
}
API int cudaMemcpy(void* to, const void* from, size_t size, int) { return copy(to, from, size, nullptr, true); }
API int cudaMemcpyAsync(void* to, const void* from, size_t size, int, void* stream) { return copy(to, from, size, stream, false); }
API int cudaMemcpyPeer(void* to, int, const void* from, int, size_t size) { return copy(to, from, size, nullptr, true); }
API int cudaMemcpyPeerAsync(void* to, int, const void* from, int, size_t size, void* stream) { return copy(to, from, size, stream, false); }
API int cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height, int, void* stream) {
    if (stays_zero(to)) return OK;
    return submit(stream, [=] {
        for (size_t i = 0; i < height; ++i) memmove((char*)to + i * to_pitch, (const char*)from + i * from_pitch, width);
        return OK;
    });
}
API int cudaMemsetAsync(void* at, int value, size_t size, void* stream) {
    if (stays_zero(at)) return OK;
    return submit(stream, [=] { memset(at, value, size); return OK; });
}
API int cudaMemset(void* at, int value, size_t size) { return cudaMemsetAsync(at, value, size, nullptr); }

// -- modules and launches: an image is text, "host image\n", the path of a shared library or "-", and the names of its kernels, a line each

typedef int (*Launcher)(const unsigned*, const unsigned*, void**, unsigned);
struct Function { std::string name; Launcher launch; std::vector<size_t> sizes; };
struct Module { void* library; std::map<std::string, std::unique_ptr<Function>> functions; };

API int cuModuleLoadData(Module** out, const char* image) {
    std::vector<std::string> lines;
    for (const char* at = image; *at;) {
        const char* end = strchrnul(at, '\n');
        lines.emplace_back(at, end);
        at = *end ? end + 1 : end;
    }
    if (lines.size() < 2 || lines[0] != "host image") return INVALID_VALUE;
    auto module = std::make_unique<Module>();
    module->library = lines[1] == "-" ? nullptr : dlopen(lines[1].c_str(), RTLD_NOW | RTLD_LOCAL);
    if (lines[1] != "-" && !module->library) { fprintf(stderr, "%s\n", dlerror()); return INVALID_VALUE; }
    for (size_t i = 2; i < lines.size(); ++i) {
        auto function = std::make_unique<Function>();
        function->name = lines[i];
        function->launch = nullptr;
        if (module->library) {
            function->launch = (Launcher)dlsym(module->library, ("launch_" + lines[i]).c_str());
            auto sizes = (size_t (*)(size_t*))dlsym(module->library, ("sizes_" + lines[i]).c_str());
            if (!function->launch || !sizes) return NOT_FOUND;
            function->sizes.resize(sizes(nullptr));
            sizes(function->sizes.data());
        }
        module->functions[lines[i]] = std::move(function);
    }
    *out = module.release();
    return OK;
}
API int cuModuleUnload(Module*) { return OK; }  // kept: graphs may still launch from it
API int cuModuleGetFunction(Function** out, Module* module, const char* name) {
    auto found = module->functions.find(name);
    if (found == module->functions.end()) return NOT_FOUND;
    *out = found->second.get();
    return OK;
}
API int cuModuleGetGlobal_v2(void** out, size_t* size, Module* module, const char* name) {
    *out = module->library ? dlsym(module->library, name) : nullptr;
    *size = 0;
    return *out ? OK : NOT_FOUND;
}
API int cuFuncGetAttribute(int* out, int attribute, Function*) { *out = attribute == 0 ? 1024 : 0; return OK; }
API int cuFuncSetAttribute(Function*, int, int) { return OK; }
API int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* out, Function*, int threads, size_t) { *out = 2048 / (threads < 1 ? 1 : threads); return OK; }
API int cuOccupancyMaxPotentialBlockSize(int* grid, int* block, Function*, void*, size_t, int) { *grid = 132; *block = 1024; return OK; }
API int cuLaunchKernel(Function* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void* stream,
                       void** arguments, void**) {
    if (!gx || !gy || !gz || !bx || !by || !bz || bx * by * bz > 1024 || bz > 64 || gy > 65535 || gz > 65535 || shared > 232448) return INVALID_VALUE;
    ++launched;
    if (!f->launch) return submit(stream, [] { return OK; });
    auto kept = std::make_shared<std::vector<std::vector<char>>>();
    for (size_t i = 0; i < f->sizes.size(); ++i) kept->emplace_back((char*)arguments[i], (char*)arguments[i] + f->sizes[i]);
    return submit(stream, [=] {
        unsigned grid[3] = {gx, gy, gz}, block[3] = {bx, by, bz};
        std::vector<void*> pointers;
        for (auto& each : *kept) pointers.push_back(each.data());
        std::lock_guard<std::mutex> lock(launching);
        int error = f->launch(grid, block, pointers.data(), shared);
        if (error) fprintf(stderr, "%s: %s\n", f->name.c_str(), error == 1 ? "a barrier was not reached by all threads" : "the grid or block does not fit");
        return error ? LAUNCH_FAILED : OK;
    });
}
