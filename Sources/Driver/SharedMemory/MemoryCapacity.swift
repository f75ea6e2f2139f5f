import Glibc

/// How much memory the machine has for shared buffers, as far as it says so.
///
/// What one DSP process can map is another limit (about 3.5 GB of addresses for each session), and how much
/// a heap really gives is found by ``SharedMemoryAllocator/largestAllocation(atMost:)`` only.
public struct MemoryCapacity: Hashable, Sendable {
    /// Bytes of a page; buffers are whole pages.
    public var pageByteCount: Int
    /// Bytes of memory that the kernel manages: `MemTotal`.
    public var totalByteCount: Int
    /// Bytes that could be had now without swapping, by the kernel's estimate: `MemAvailable`.
    public var availableByteCount: Int

    /// Asks the running kernel: `/proc/meminfo`.
    public static func current() throws(SharedMemoryError) -> MemoryCapacity {
        let path = "/proc/meminfo"
        let text: String
        do throws(SystemError) {
            text = String(decoding: try SystemCalls.contents(of: path), as: UTF8.self)
        } catch {
            throw SharedMemoryError(operation: "read \(path)", errno: error.errno)
        }
        guard let capacity = MemoryCapacity(meminfo: text, pageByteCount: SystemCalls.pageSize) else {
            throw SharedMemoryError(
                operation: "read \(path)", errno: 0, advice: "it lacks MemTotal or MemAvailable")
        }
        return capacity
    }

    /// Reads the text of `/proc/meminfo`, whose numbers are in KiB; nil where one is missing or no number.
    package init?(meminfo: String, pageByteCount: Int) {
        func bytes(_ key: String) -> Int? {
            for line in meminfo.split(separator: "\n") where line.hasPrefix("\(key):") {
                guard let word = line.dropFirst(key.utf8.count + 1).split(separator: " ").first,
                    let count = Int(word), count >= 0
                else { return nil }
                let (product, overflow) = count.multipliedReportingOverflow(by: 1024)
                return overflow ? nil : product
            }
            return nil
        }
        guard let total = bytes("MemTotal"), let available = bytes("MemAvailable") else { return nil }
        self.pageByteCount = pageByteCount
        totalByteCount = total
        availableByteCount = available
    }
}

extension SharedMemoryAllocator {
    /// The largest buffer that can be had now, found by trying: each buffer is freed at once, and the answer
    /// is within 1/64 of the limit. Another process may take the memory the moment after.
    ///
    /// It makes the kernel find all these pages, which takes time and may push others into swap or into the
    /// arms of the out-of-memory killer: choose a limit that leaves them enough.
    ///
    /// - Parameter limit: bytes that are not exceeded; nil for half of ``MemoryCapacity/availableByteCount``.
    /// - Returns: bytes, a multiple of the page size; 0 where not even one page can be had for lack of memory.
    /// - Throws: what stands in the way for a reason other than size, for example a missing permission.
    public func largestAllocation(atMost limit: Int? = nil) throws(SharedMemoryError) -> Int {
        let page = SystemCalls.pageSize
        let bound: Int
        if let limit { bound = limit } else { bound = try MemoryCapacity.current().availableByteCount / 2 }
        var (low, high) = (0, bound / page)
        guard high > 0 else { return 0 }
        if try canAllocate(high * page) { return high * page }
        let step = max(1, high / 64)
        // low pages can be had, high pages cannot.
        while high - low > step {
            let middle = low + (high - low) / 2
            if try canAllocate(middle * page) { low = middle } else { high = middle }
        }
        return low * page
    }

    private func canAllocate(_ byteCount: Int) throws(SharedMemoryError) -> Bool {
        do throws(SharedMemoryError) {
            try allocate(byteCount: byteCount).close()
            return true
        } catch {
            // 0: rpcmem_alloc gives no reason. Permission and absence have been told apart by then, as
            // the caller can see from any allocation.
            guard [0, ENOMEM, EFBIG, EOVERFLOW, ENOSPC].contains(error.errno) else { throw error }
            return false
        }
    }
}

extension DMAHeapAllocator {
    /// Whether this user can allocate from the heap. Nothing is opened or allocated.
    public enum Availability: Hashable, Sendable {
        /// The node is there and may be opened.
        case usable
        /// The node is there, but this user may not open it.
        case forbidden
        /// This kernel, or this container, has no such heap.
        case absent
    }

    /// Looks at the heap's node.
    public var availability: Availability {
        do throws(SystemError) {
            try SystemCalls.access(path, R_OK)
            return .usable
        } catch {
            return error.errno == EACCES || error.errno == EPERM ? .forbidden : .absent
        }
    }

    /// The names of the heaps that the kernel offers, in order; each is for ``init(heap:)``.
    public static func heaps(directory: String = "/dev/dma_heap") -> [String] {
        SystemCalls.fileNames(in: directory).filter { !$0.hasPrefix(".") }.sorted()
    }
}
