import Glibc
import SharedMemory
import Synchronization

/// Where a client's mappings start: the driver takes the offset of an argument in its dma-buf from that.
final class ClientMappings: Sendable {
    private struct Mapping {
        var process: pid_t
        var range: Range<UInt64>
    }

    /// Mappings that were found before. They may be gone by now.
    private let known = Mutex<[Mapping]>([])

    /// The start of the mapping that holds an address, else of the next one above (`find_vma`); nil where there
    /// is none.
    func start(of address: UInt64, in process: pid_t) -> UInt64? {
        let candidate = known.withLock { known in
            known.first { $0.process == process && $0.range.contains(address) }?.range
        }
        if let candidate {
            if Self.exists(candidate, in: process) { return candidate.lowerBound }
            known.withLock { known in
                known.removeAll { $0.process == process && $0.range == candidate }
            }
        }
        guard let range = Self.find(address, in: process) else { return nil }
        known.withLock { known in
            if known.count == Self.capacity { known.removeFirst() }
            known.append(Mapping(process: process, range: range))
        }
        return range.lowerBound
    }

    private static let capacity = 64

    /// Whether there is a mapping of exactly this range, by the name of its entry in `map_files`.
    private static func exists(_ range: Range<UInt64>, in process: pid_t) -> Bool {
        let from = String(range.lowerBound, radix: 16)
        let to = String(range.upperBound, radix: 16)
        var status = stat()
        return lstat("/proc/\(process)/map_files/\(from)-\(to)", &status) == 0
    }

    /// Reads `/proc/PID/maps`, which is in ascending order, up to the first mapping that ends above the address.
    private static func find(_ address: UInt64, in process: pid_t) -> Range<UInt64>? {
        guard let file = fopen("/proc/\(process)/maps", "re") else { return nil }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var room = 0
        defer { free(line) }
        while getline(&line, &room, file) > 0, let text = line {
            var rest: UnsafeMutablePointer<CChar>?
            let from = UInt64(strtoull(text, &rest, 16))
            guard let dash = rest, dash.pointee == CChar(bitPattern: UInt8(ascii: "-")) else { continue }
            let to = UInt64(strtoull(dash + 1, nil, 16))
            if address < to, from < to { return from..<to }
        }
        return nil
    }
}
