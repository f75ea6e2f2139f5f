import Glibc

/// Shared memory from Qualcomm's graphics driver, `msm`, for users of group `render` where the dma-heap is
/// for root only: a GEM object, exported as a dma-buf.
///
/// The node is opened for each allocation anew, so that an allocator holds no descriptor.
public struct DRMAllocator: SharedMemoryAllocator {
    /// How the host's caches treat the memory: bits of `MSM_BO_CACHE_MASK`.
    public struct Caching: RawRepresentable, Hashable, Sendable {
        /// The bits.
        public var rawValue: UInt32

        /// Wraps bits.
        public init(rawValue: UInt32) {
            self.rawValue = rawValue
        }

        /// `MSM_BO_WC`: writes are combined, reads are slow. Every chip has it.
        public static let writeCombined = Caching(rawValue: 0x2_0000)
        /// `MSM_BO_CACHED_COHERENT`: cached, and the device looks into the caches. `EINVAL` where the GPU
        /// cannot.
        public static let cachedCoherent = Caching(rawValue: 0x8_0000)
    }

    /// The render node.
    public let node: String
    /// What is asked for, in this order, until the driver agrees.
    public let caching: [Caching]

    /// Allocates from a render node of the `msm` driver.
    public init(node: String, caching: [Caching] = [.cachedCoherent, .writeCombined]) {
        self.node = node
        self.caching = caching
    }

    /// Allocates from the first render node that the `msm` driver has.
    ///
    /// - Throws: `ENODEV` when there is none.
    public init() throws(SharedMemoryError) {
        self.init(node: try Self.node(among: DRMNodes.list()))
    }

    package static func node(among devices: [DRMDevice]) throws(SharedMemoryError) -> String {
        let operation = "find a DRM render node of the msm driver"
        if let node = devices.first(where: { $0.driver == driver })?.renderNode { return node }
        if let unknown = devices.first(where: { $0.driver == nil })?.renderNode {
            throw SharedMemoryError(
                operation: operation, errno: EACCES, advice: DRMRenderNode.advice(EACCES, unknown))
        }
        let others = devices.compactMap(\.driver).joined(separator: ", ")
        throw SharedMemoryError(
            operation: operation, errno: ENODEV,
            advice: others.isEmpty ? "there is no DRM device" : "the drivers here are \(others)")
    }

    /// Allocates `byteCount` bytes, rounded up to whole pages. The GEM handle is closed before this returns;
    /// the dma-buf keeps the memory.
    public func allocate(byteCount: Int) throws(SharedMemoryError) -> SharedBuffer {
        let operation = "allocate \(byteCount) bytes from \(node)"
        let size = try wholePages(byteCount, operation: operation)
        let device = try DRMRenderNode(path: node)
        let name = try device.driverName()
        guard name == Self.driver else {
            throw SharedMemoryError(
                operation: operation, errno: ENODEV, advice: "its driver is \(name), not \(Self.driver)")
        }
        var refusal = SystemError(EINVAL)
        for caching in caching {
            var request = DRM.MSMNew(byteCount: UInt64(size), flags: caching.rawValue)
            do throws(SystemError) {
                try SystemCalls.ioctl(device.descriptor, DRM.msmNew, &request)
            } catch {
                refusal = error
                if error.errno == EINVAL { continue }
                break
            }
            return try device.adopt(request.handle).export(byteCount: size)
        }
        let advice =
            refusal.errno == ENOMEM
            ? "the memory has run out: free buffers or use smaller ones"
            : DRMRenderNode.advice(refusal.errno, node)
        throw SharedMemoryError(operation: operation, errno: refusal.errno, advice: advice)
    }

    private static let driver = "msm"
}
