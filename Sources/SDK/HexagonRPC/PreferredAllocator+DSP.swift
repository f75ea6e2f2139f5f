extension PreferredAllocator {
    /// Memory that a DSP can map, from the first of these that works: `rpcmem_alloc` of `library` (it then
    /// knows the buffers), `/dev/dma_heap/system`, `ALLOC_DMA_BUFF` of `node` (which takes a session of the
    /// DSP), a DRM render node of the `msm` driver. ``rejected`` says why those before it were not taken.
    ///
    /// - Parameters:
    ///   - library: the library that makes the calls, if one does.
    ///   - node: a FastRPC node that may be opened for memory.
    public static func forDSP(
        library: FastRPCLibrary? = nil, node: FastRPCNode? = nil
    ) throws(SharedMemoryError) -> PreferredAllocator {
        var candidates: [Candidate] = []
        if let library { candidates.append(.rpcmem(library)) }
        candidates.append(.dmaHeap())
        if let node { candidates.append(.fastRPC(node)) }
        candidates.append(.drm)
        return try PreferredAllocator(candidates)
    }
}

extension PreferredAllocator.Candidate {
    /// `rpcmem_alloc` of a library.
    public static func rpcmem(_ library: FastRPCLibrary) -> Self {
        Self("rpcmem_alloc of \(library.file)") { RPCMemAllocator(library: library) }
    }

    /// `FASTRPC_IOCTL_ALLOC_DMA_BUFF` of a node, which stays open and takes a session of the DSP.
    public static func fastRPC(_ node: FastRPCNode) -> Self {
        Self("ALLOC_DMA_BUFF of \(node)") { () throws(SharedMemoryError) in
            do throws(FastRPCKernelError) {
                return FastRPCAllocator(owning: try FastRPCDevice(opening: node))
            } catch {
                var errno: CInt = 0
                if case .errno(let code) = error.cause { errno = code }
                throw SharedMemoryError(operation: error.operation, errno: errno, advice: error.advice)
            }
        }
    }
}
