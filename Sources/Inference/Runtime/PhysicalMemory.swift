import Glibc

/// The machine's memory: what does not fit into it is refused before it is asked for.
enum PhysicalMemory {
    /// Bytes of memory that the machine has.
    static let byteCount = sysconf(CInt(_SC_PAGESIZE)) * sysconf(CInt(_SC_PHYS_PAGES))

    /// The product of the factors, at least 1 each, as a number of bytes, where that many fit.
    static func bytes(_ factors: Int...) -> Int? {
        var product = 1
        for factor in factors {
            let (next, overflow) = product.multipliedReportingOverflow(by: factor)
            guard !overflow, next <= byteCount else { return nil }
            product = next
        }
        return product
    }
}
