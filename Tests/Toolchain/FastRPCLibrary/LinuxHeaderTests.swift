import SharedMemory
import Testing

/// The kernel's own headers are the witness for the numbers that Swift computes.
@Suite(.enabled(if: systemCompiler != nil, "needs a C compiler as cc")) struct LinuxHeaderTests {
    @Test func requestNumbersAndLayouts() throws {
        let scratch = try ScratchDirectory()
        let source = try scratch.write(
            """
            #include <stddef.h>
            #include <stdio.h>
            #include <linux/dma-buf.h>
            #include <linux/dma-heap.h>
            #include <linux/magic.h>
            int main(void) {
                printf("%u %u %zu %zu %zu %d %d %d %d %d\\n", (unsigned)DMA_BUF_IOCTL_SYNC,
                       (unsigned)DMA_HEAP_IOCTL_ALLOC, sizeof(struct dma_heap_allocation_data),
                       offsetof(struct dma_heap_allocation_data, fd),
                       offsetof(struct dma_heap_allocation_data, heap_flags), DMA_BUF_SYNC_READ,
                       DMA_BUF_SYNC_WRITE, DMA_BUF_SYNC_START, DMA_BUF_SYNC_END, DMA_BUF_MAGIC);
            }
            """, to: "numbers.c")
        let program = "\(scratch.path)/numbers"
        let compiled = try run(try #require(systemCompiler), ["-o", program, source])
        guard compiled.status == 0 else {
            // A machine without the kernel's headers has no witness.
            print("skipped: \(compiled.errors)")
            return
        }
        let numbers = try run(program, []).output.split(separator: " ").map { $0.filter(\.isNumber) }
        let expected: [Int] = [
            Int(DMABuffer.sync.rawValue), Int(DMAHeap.allocate.rawValue),
            MemoryLayout<DMAHeap.Allocation>.size,
            MemoryLayout<DMAHeap.Allocation>.offset(of: \.descriptor) ?? -1,
            MemoryLayout<DMAHeap.Allocation>.offset(of: \.heapFlags) ?? -1,
            Int(CPUAccess.read.rawValue), Int(CPUAccess.write.rawValue), Int(DMABuffer.syncStart),
            Int(DMABuffer.syncEnd), DMABuffer.fileSystem,
        ]
        #expect(numbers == expected.map(String.init))
    }

    /// libdrm's copy of the kernel's headers; it lacks the newer `MSM_BO_CACHED_COHERENT`.
    @Test func numbersAndLayoutsOfDRM() throws {
        let scratch = try ScratchDirectory()
        let source = try scratch.write(
            """
            #include <fcntl.h>
            #include <stddef.h>
            #include <stdio.h>
            #include <libdrm/drm.h>
            #include <libdrm/msm_drm.h>
            int main(void) {
                printf("%u %u %u %u %u ", (unsigned)DRM_IOCTL_VERSION, (unsigned)DRM_IOCTL_GEM_CLOSE,
                       (unsigned)DRM_IOCTL_PRIME_HANDLE_TO_FD, (unsigned)DRM_IOCTL_PRIME_FD_TO_HANDLE,
                       (unsigned)DRM_IOCTL_MSM_GEM_NEW);
                printf("%zu %zu %zu %zu %zu %zu ", offsetof(struct drm_version, name_len),
                       offsetof(struct drm_version, name), offsetof(struct drm_prime_handle, flags),
                       offsetof(struct drm_prime_handle, fd), offsetof(struct drm_msm_gem_new, flags),
                       offsetof(struct drm_msm_gem_new, handle));
                printf("%d %d\\n", DRM_RDWR | DRM_CLOEXEC, MSM_BO_WC);
            }
            """, to: "drm.c")
        let program = "\(scratch.path)/drm"
        let compiled = try run(
            try #require(systemCompiler), ["-I/usr/include/libdrm", "-o", program, source])
        guard compiled.status == 0 else {
            print("skipped: \(compiled.errors)")
            return
        }
        let numbers = try run(program, []).output.split(separator: " ").map { $0.filter(\.isNumber) }
        let expected: [Int] = [
            Int(DRM.version.rawValue), Int(DRM.closeHandle.rawValue), Int(DRM.handleToDescriptor.rawValue),
            Int(DRM.descriptorToHandle.rawValue), Int(DRM.msmNew.rawValue),
            MemoryLayout<DRM.Version>.offset(of: \.nameByteCount) ?? -1,
            MemoryLayout<DRM.Version>.offset(of: \.name) ?? -1,
            MemoryLayout<DRM.PrimeHandle>.offset(of: \.flags) ?? -1,
            MemoryLayout<DRM.PrimeHandle>.offset(of: \.descriptor) ?? -1,
            MemoryLayout<DRM.MSMNew>.offset(of: \.flags) ?? -1,
            MemoryLayout<DRM.MSMNew>.offset(of: \.handle) ?? -1,
            Int(DRM.PrimeHandle(handle: 0).flags), Int(DRMAllocator.Caching.writeCombined.rawValue),
        ]
        #expect(numbers == expected.map(String.init))
    }
}
