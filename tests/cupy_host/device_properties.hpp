// What an H200 says of itself: cudaDeviceProp as CUDA 13's headers lay it out, and the attributes that CuPy asks for by number.
#pragma once
#include <stddef.h>
#include <stdio.h>

constexpr size_t TOTAL_MEMORY = 150754820096;

struct cudaDeviceProp {
    char name[256], uuid[16], luid[8];
    unsigned luidDeviceNodeMask;
    size_t totalGlobalMem, sharedMemPerBlock;
    int regsPerBlock, warpSize;
    size_t memPitch;
    int maxThreadsPerBlock, maxThreadsDim[3], maxGridSize[3];
    size_t totalConstMem;
    int major, minor;
    size_t textureAlignment, texturePitchAlignment;
    int multiProcessorCount, integrated, canMapHostMemory;
    int textures[25], surfaces[14];  // largest extents of each kind
    size_t surfaceAlignment;
    int concurrentKernels, ECCEnabled, pciBusID, pciDeviceID, pciDomainID, tccDriver, asyncEngineCount, unifiedAddressing, memoryBusWidth, l2CacheSize,
        persistingL2CacheMaxSize, maxThreadsPerMultiProcessor, streamPrioritiesSupported, globalL1CacheSupported, localL1CacheSupported;
    size_t sharedMemPerMultiprocessor;
    int regsPerMultiprocessor, managedMemory, isMultiGpuBoard, multiGpuBoardGroupID, hostNativeAtomicSupported, pageableMemoryAccess,
        concurrentManagedAccess, computePreemptionSupported, canUseHostPointerForRegisteredMem, cooperativeLaunch;
    size_t sharedMemPerBlockOptin;
    int pageableMemoryAccessUsesHostPageTables, directManagedMemAccessFromHost, maxBlocksPerMultiProcessor, accessPolicyMaxWindowSize;
    size_t reservedSharedMemPerBlock;
    int others[76];
};

static cudaDeviceProp h200(int index) {
    cudaDeviceProp p = {};
    snprintf(p.name, sizeof p.name, "NVIDIA H200 (stand-in on the host)");
    p.uuid[0] = (char)(index + 1);
    p.totalGlobalMem = TOTAL_MEMORY;
    p.sharedMemPerBlock = 49152;
    p.regsPerBlock = p.regsPerMultiprocessor = 65536;
    p.warpSize = 32;
    p.maxThreadsPerBlock = p.maxThreadsDim[0] = p.maxThreadsDim[1] = 1024;
    p.maxThreadsDim[2] = 64;
    p.maxGridSize[0] = 2147483647;
    p.maxGridSize[1] = p.maxGridSize[2] = 65535;
    p.totalConstMem = 65536;
    p.major = 9;
    p.textureAlignment = p.surfaceAlignment = 512;
    p.multiProcessorCount = 132;
    p.canMapHostMemory = p.concurrentKernels = p.ECCEnabled = p.unifiedAddressing = p.streamPrioritiesSupported = p.cooperativeLaunch = 1;
    p.pciBusID = index + 1;
    p.asyncEngineCount = 3;
    p.memoryBusWidth = 6144;
    p.l2CacheSize = 62914560;
    p.maxThreadsPerMultiProcessor = 2048;
    p.sharedMemPerMultiprocessor = 233472;
    p.sharedMemPerBlockOptin = 232448;
    p.maxBlocksPerMultiProcessor = 32;
    p.reservedSharedMemPerBlock = 1024;
    return p;
}

static int attribute_of_h200(int number) {
    switch (number) {  // cudaDeviceAttr
        case 1: return 1024;    // threads of a block
        case 5: case 6: case 7: return number == 5 ? 2147483647 : 65535;
        case 8: return 49152;   // shared memory of a block
        case 10: return 32;     // a warp
        case 12: case 82: return 65536;  // registers
        case 13: return 1980000;  // clock, kHz
        case 16: return 132;    // multiprocessors
        case 36: return 3201000;  // memory clock, kHz
        case 37: return 6144;   // bits of the memory bus
        case 38: return 62914560;  // L2
        case 39: return 2048;   // threads of a multiprocessor
        case 75: return 9;      // compute capability
        case 76: return 0;
        case 81: return 233472; // shared memory of a multiprocessor
        case 95: return 1;      // cooperative launches
        case 97: return 232448; // shared memory of a block, when asked for
        case 106: return 32;    // blocks of a multiprocessor
        default: return 0;
    }
}
