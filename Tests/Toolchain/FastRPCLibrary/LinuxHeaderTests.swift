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
}
